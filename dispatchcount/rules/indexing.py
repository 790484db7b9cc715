"""Gathers and scatters.

A gather reads what it takes, and the indices. A scatter in place writes what it hits. If values are
added to, multiplied with or compared with what is there, that is one operation per value.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes, shapes
from dispatchcount.rules.core.sizes import along, broadcast


def element_bytes(shape: Shape) -> int:
    """Bytes of one stored element of `shape`; 0 if it is empty."""
    return shape.nbytes // shape.numel if shape.numel else 0


@RULES.move("aten::gather", "aten::index_select", "aten::take")
def gather(self: Shape, *args: Operand, out: Shape, **_: Operand) -> Cost:
    """Reads as many elements as the result has, and the index."""
    return Cost(bytes_read=out.nbytes + nbytes(args), bytes_written=out.nbytes)


@RULES.move("aten::index", "aten::_unsafe_index", "aten::_unsafe_masked_index")
def index(self: Shape, *args: Operand, out: Shape, **_: Operand) -> Cost:
    """Reads as many elements as the result has, the indices, and the mask if there is one."""
    return Cost(bytes_read=out.nbytes + nbytes(args), bytes_written=out.nbytes)


@RULES.move(
    "aten::masked_select", "aten::nonzero", "aten::nonzero_static", "aten::masked_scatter_backward"
)
def select(*_: Operand, **__: Operand) -> Cost:
    """Reads every element."""
    return Cost()


@RULES.move("aten::masked_scatter")
def masked_scatter(self: Shape, mask: Shape, source: Shape, **_: Operand) -> Cost:
    """Copies elements of the source to where the mask is set.

    How many these are is data, so all count as read.
    """
    return Cost()


def hits(self: Shape, indices: Sequence[Shape | None], values: Shape) -> int:
    """Elements that advanced indexing names.

    They are those of the broadcast indices, times the dimensions without an index. A mask names as
    many as are set in it, which is data; then there are as many as there are values.
    """
    named = shapes(indices)
    if any(i.dtype in ("bool", "uint8") for i in named):
        return values.numel
    rest = [n for n, i in zip(self, indices, strict=False) if i is None] + list(
        self[len(indices) :]
    )
    total = broadcast(*named)
    for n in rest:
        total *= n
    return total


def _write_cost(
    self: Shape,
    named: Operand,
    values: Operand,
    accumulate: bool,
    n: int,
    in_place: bool,
    out: Operand,
) -> Cost:
    """The cost of writing n values into a tensor.

    Args:
        self: the tensor.
        named: the indices.
        values: what is written.
        accumulate: True if the values are added to what is there, which is read.
        n: the number of elements that are hit.
        in_place: True if nothing else is written; else the tensor is copied first.
        out: the result, if it is a copy.
    """
    each = element_bytes(self)
    read = nbytes((named, values)) + (n * each if accumulate else 0)
    whole = 0 if in_place else self.nbytes
    return Cost(
        arithmetic=n if accumulate else 0,
        bytes_read=read + whole,
        bytes_written=(n * each if in_place else nbytes(out)),
    )


@RULES.rule("aten::index_put", "aten::_unsafe_index_put", "aten::_index_put_impl")
def index_put(
    self: Shape,
    indices: Sequence[Shape | None],
    values: Shape,
    accumulate: bool = False,
    *_: Operand,
    out: Operand,
    **__: Operand,
) -> Cost:
    """Writes into a copy; adding is one operation per element hit."""
    return _write_cost(self, indices, values, accumulate, hits(self, indices, values), False, out)


@RULES.rule("aten::index_put_", "aten::_index_put_impl_")
def index_put_(
    self: Shape,
    indices: Sequence[Shape | None],
    values: Shape,
    accumulate: bool = False,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Does what `index_put` does, in place."""
    return _write_cost(self, indices, values, accumulate, hits(self, indices, values), True, None)


@RULES.rule("aten::_unsafe_masked_index_put_accumulate")
def masked_index_put(
    self: Shape,
    mask: Shape,
    indices: Sequence[Shape | None],
    values: Shape,
    *_: Operand,
    out: Operand,
    **__: Operand,
) -> Cost:
    """Selects the values where the mask is set, and adds them."""
    return Cost(arithmetic=values.numel) + _write_cost(
        self, (indices, mask), values, True, values.numel, False, out
    )


@RULES.rule("aten::put")
def put(self: Shape, index: Shape, source: Shape, accumulate: bool = False, **_: Operand) -> Cost:
    """Writes into a copy, at flat places."""
    return Cost(arithmetic=index.numel if accumulate else 0)


@RULES.rule("aten::put_")
def put_(self: Shape, index: Shape, source: Shape, accumulate: bool = False, **_: Operand) -> Cost:
    """Writes in place, at flat places."""
    return _write_cost(self, index, source, accumulate, index.numel, True, None)


@RULES.rule("aten::scatter")
def scatter(self: Shape, dim: int, index: Shape, source: Operand = None, **named: Operand) -> Cost:
    """Writes into a copy; it replaces elements, unless a reduction is named."""
    return Cost(arithmetic=index.numel if "reduce" in named else 0)


@RULES.rule("aten::scatter_")
def scatter_(self: Shape, dim: int, index: Shape, source: Operand = None, **named: Operand) -> Cost:
    """Writes one element per index, in place."""
    return _write_cost(self, index, source, "reduce" in named, index.numel, True, None)


@RULES.rule("aten::scatter_add")
def scatter_add(self: Shape, dim: int, index: Shape, source: Shape, **_: Operand) -> Cost:
    """Adds one value per index, in a copy."""
    return Cost(arithmetic=index.numel)


@RULES.rule("aten::scatter_add_")
def scatter_add_(self: Shape, dim: int, index: Shape, source: Shape, **_: Operand) -> Cost:
    """Adds one value per index, in place."""
    return _write_cost(self, index, source, True, index.numel, True, None)


@RULES.rule("aten::scatter_reduce")
def scatter_reduce(
    self: Shape, dim: int, index: Shape, source: Shape, reduce: str, **_: Operand
) -> Cost:
    """Takes one operation per index; the mean also counts them and divides."""
    return Cost(arithmetic=2 * index.numel + self.numel if reduce == "mean" else index.numel)


@RULES.rule("aten::index_add")
def index_add(self: Shape, dim: int, index: Shape, source: Shape, **named: Operand) -> Cost:
    """Adds each source element into a copy, multiplied with alpha if it is given."""
    return Cost(arithmetic=source.numel * (1 + ("alpha" in named)))


@RULES.rule("aten::index_add_")
def index_add_(self: Shape, dim: int, index: Shape, source: Shape, **named: Operand) -> Cost:
    """Does what `index_add` does, in place."""
    return _write_cost(self, index, source, True, source.numel, True, None) + Cost(
        arithmetic=source.numel * ("alpha" in named)
    )


@RULES.rule("aten::index_reduce")
def index_reduce(
    self: Shape, dim: int, index: Shape, source: Shape, reduce: str, **_: Operand
) -> Cost:
    """Takes one operation per source element; the mean also counts them and divides."""
    return Cost(arithmetic=source.numel * (2 if reduce == "mean" else 1))


@RULES.move("aten::index_copy", "aten::index_fill")
def index_copy(*_: Operand, **__: Operand) -> Cost:
    """Writes into a copy."""
    return Cost()


@RULES.move("aten::index_copy_", "aten::index_fill_")
def index_copy_(self: Shape, dim: int, index: Shape, source: Operand = None, **_: Operand) -> Cost:
    """Writes the slices that the index names, in place."""
    slice_ = self.nbytes // max(along(self, dim), 1)
    return Cost(bytes_read=nbytes((index, source)), bytes_written=index.numel * slice_)

"""Gathers and scatters. A gather reads what it takes and the indices; a scatter in place writes what it hits.

Where values are added, multiplied or compared with what is there, that is one operation per value.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, nbytes, shapes
from dispatchcount.rules.core.sizes import along, broadcast


def itemsize(shape: Shape) -> int:
    """Bytes of an element."""
    return shape.nbytes // shape.numel if shape.numel else 0


@RULES.move("aten::gather", "aten::index_select", "aten::take")
def gather(self: Shape, *args: Any, out: Shape, **_: Any) -> Cost:
    """Reads as many elements as the result has, and the index."""
    return Cost(bytes_read=out.nbytes + nbytes(args), bytes_written=out.nbytes)


@RULES.move("aten::index", "aten::_unsafe_index", "aten::_unsafe_masked_index")
def index(self: Shape, *args: Any, out: Shape, **_: Any) -> Cost:
    """Advanced indexing: reads as many elements as the result has, the indices and the mask."""
    return Cost(bytes_read=out.nbytes + nbytes(args), bytes_written=out.nbytes)


@RULES.move(
    "aten::masked_select", "aten::nonzero", "aten::nonzero_static", "aten::masked_scatter_backward"
)
def select(*_: Any, **__: Any) -> Cost:
    """Looks at every element."""
    return Cost()


@RULES.move("aten::masked_scatter")
def masked_scatter(self: Shape, mask: Shape, source: Shape, **_: Any) -> Cost:
    """Copies source elements to where the mask is set; how many is data, so all are counted as read."""
    return Cost()


def hits(self: Shape, indices: Any, values: Shape) -> int:
    """Elements that advanced indexing names: the indices broadcast, times the dimensions without one.

    A mask names as many as are set in it, which is data: then as many as there are values.
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


def _put(
    self: Shape, named: Any, values: Any, accumulate: bool, n: int, in_place: bool, out: Any
) -> Cost:
    each = itemsize(self)
    read = nbytes((named, values)) + (n * each if accumulate else 0)
    whole = 0 if in_place else self.nbytes
    return Cost(
        arithmetic=n if accumulate else 0,
        bytes_read=read + whole,
        bytes_written=(n * each if in_place else nbytes(out)),
    )


@RULES.rule("aten::index_put", "aten::_unsafe_index_put", "aten::_index_put_impl")
def index_put(
    self: Shape, indices: Any, values: Shape, accumulate: bool = False, *_: Any, out: Any, **__: Any
) -> Cost:
    """Into a copy; adding is one operation per element hit."""
    return _put(self, indices, values, accumulate, hits(self, indices, values), False, out)


@RULES.rule("aten::index_put_", "aten::_index_put_impl_")
def index_put_(
    self: Shape, indices: Any, values: Shape, accumulate: bool = False, *_: Any, **__: Any
) -> Cost:
    """In place."""
    return _put(self, indices, values, accumulate, hits(self, indices, values), True, None)


@RULES.rule("aten::_unsafe_masked_index_put_accumulate")
def masked_index_put(
    self: Shape, mask: Shape, indices: Any, values: Shape, *_: Any, out: Any, **__: Any
) -> Cost:
    """Adds the values where the mask is set, and selects them first."""
    return Cost(arithmetic=values.numel) + _put(
        self, (indices, mask), values, True, values.numel, False, out
    )


@RULES.rule("aten::put")
def put(self: Shape, index: Shape, source: Shape, accumulate: bool = False, **_: Any) -> Cost:
    """Into a copy, at flat places."""
    return Cost(arithmetic=index.numel if accumulate else 0)


@RULES.rule("aten::put_")
def put_(self: Shape, index: Shape, source: Shape, accumulate: bool = False, **_: Any) -> Cost:
    """In place, at flat places."""
    return _put(self, index, source, accumulate, index.numel, True, None)


@RULES.rule("aten::scatter")
def scatter(self: Shape, dim: int, index: Shape, source: Any = None, **named: Any) -> Cost:
    """Into a copy; replaces, unless a reduction is named."""
    return Cost(arithmetic=index.numel if "reduce" in named else 0)


@RULES.rule("aten::scatter_")
def scatter_(self: Shape, dim: int, index: Shape, source: Any = None, **named: Any) -> Cost:
    """In place: writes one element per index."""
    return _put(self, index, source, "reduce" in named, index.numel, True, None)


@RULES.rule("aten::scatter_add")
def scatter_add(self: Shape, dim: int, index: Shape, source: Shape, **_: Any) -> Cost:
    """Into a copy; one addition per index."""
    return Cost(arithmetic=index.numel)


@RULES.rule("aten::scatter_add_")
def scatter_add_(self: Shape, dim: int, index: Shape, source: Shape, **_: Any) -> Cost:
    """In place."""
    return _put(self, index, source, True, index.numel, True, None)


@RULES.rule("aten::scatter_reduce")
def scatter_reduce(
    self: Shape, dim: int, index: Shape, source: Shape, reduce: str, **_: Any
) -> Cost:
    """One operation per index; the mean counts them and divides besides."""
    return Cost(arithmetic=2 * index.numel + self.numel if reduce == "mean" else index.numel)


@RULES.rule("aten::index_add")
def index_add(self: Shape, dim: int, index: Shape, source: Shape, **named: Any) -> Cost:
    """Into a copy; an addition per source element, and a product if alpha is given."""
    return Cost(arithmetic=source.numel * (1 + ("alpha" in named)))


@RULES.rule("aten::index_add_")
def index_add_(self: Shape, dim: int, index: Shape, source: Shape, **named: Any) -> Cost:
    """In place."""
    return _put(self, index, source, True, source.numel, True, None) + Cost(
        arithmetic=source.numel * ("alpha" in named)
    )


@RULES.rule("aten::index_reduce")
def index_reduce(self: Shape, dim: int, index: Shape, source: Shape, reduce: str, **_: Any) -> Cost:
    """An operation per source element; the mean counts and divides besides."""
    return Cost(arithmetic=source.numel * (2 if reduce == "mean" else 1))


@RULES.move("aten::index_copy", "aten::index_fill")
def index_copy(*_: Any, **__: Any) -> Cost:
    """Into a copy."""
    return Cost()


@RULES.move("aten::index_copy_", "aten::index_fill_")
def index_copy_(self: Shape, dim: int, index: Shape, source: Any = None, **_: Any) -> Cost:
    """In place: writes the slices that the index names."""
    slice_ = self.nbytes // max(along(self, dim), 1)
    return Cost(bytes_read=nbytes((index, source)), bytes_written=index.numel * slice_)

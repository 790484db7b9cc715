"""Embedding tables. A look-up reads only the rows that it takes."""

from __future__ import annotations

from math import prod

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes, shapes

SUM, MEAN, MAX = 0, 1, 2  # torch's numbers for `mode`


@RULES.move("aten::embedding")
def embedding(weight: Shape, indices: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Reads one row per index."""
    return Cost(bytes_read=out.nbytes + indices.nbytes, bytes_written=out.nbytes)


@RULES.rule("aten::embedding_dense_backward")
def embedding_dense_backward(grad: Shape, indices: Shape, *_: Operand, **__: Operand) -> Cost:
    """Adds each row of the gradient to its row of the table's gradient."""
    return Cost(arithmetic=grad.numel)


@RULES.rule("aten::embedding_renorm")
def embedding_renorm(self: Shape, indices: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a norm and a product for each row named.

    That is three operations per element and a root per row. It is an estimate, because a row that
    is named twice is done once.
    """
    n = indices.numel * self[-1]
    row = self.nbytes // max(self[0], 1)
    moved = indices.numel * row
    return Cost(
        arithmetic=3 * n,
        transcendentals=indices.numel,
        bytes_read=moved + indices.nbytes,
        bytes_written=moved,
        estimate=True,
    )


def bag(
    width: int, element_bytes: int, indices: Shape, bags: int, mode: int, weighted: bool
) -> Cost:
    """Folds rows into bags.

    Each element takes a sum or a maximum, and a product if the rows are weighted. For the mean each
    result takes a division.
    """
    n = indices.numel * width
    arithmetic = n * (1 + weighted) + (bags * width if mode == MEAN else 0)
    return Cost(arithmetic=arithmetic, bytes_read=n * element_bytes + indices.nbytes)


@RULES.rule(
    "aten::_embedding_bag", "aten::_embedding_bag_forward_only", "static_runtime::embedding_bag"
)
def embedding_bag(
    weight: Shape, indices: Shape, offsets: Shape, scale: bool = False, mode: int = SUM,
    sparse: bool = False, per_sample_weights: Operand = None, *_: Operand, out: Operand,
    **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `bag`; it also reads the offsets and the weights."""
    row = weight.nbytes // max(weight.numel, 1)
    cost = bag(weight[-1], row, indices, shapes(out)[0][0], mode, per_sample_weights is not None)
    return cost + Cost(bytes_read=nbytes((offsets, per_sample_weights)), bytes_written=nbytes(out))


@RULES.rule("aten::_embedding_bag_dense_backward", "aten::_embedding_bag_backward")
def embedding_bag_backward(grad: Shape, indices: Shape, *_: Operand, **__: Operand) -> Cost:
    """Adds the scaled gradient of a bag to the row of each index in it."""
    return Cost(arithmetic=2 * indices.numel * grad[-1])


@RULES.rule("aten::_embedding_bag_per_sample_weights_backward")
def per_sample_weights_backward(
    grad: Shape, weight: Shape, indices: Shape, *_: Operand, **__: Operand
) -> Cost:
    """Takes the inner product of a row with its bag's gradient, for each index."""
    return Cost(arithmetic=2 * indices.numel * weight[-1])


@RULES.rule(
    "quantized::embedding_bag_byte_rowwise_offsets",
    "quantized::embedding_bag_4bit_rowwise_offsets",
    "quantized::embedding_bag_2bit_rowwise_offsets", "quantized::embedding_bag_byte",
    "quantized::embedding_bag_4bit", "quantized::embedding_byte", "quantized::embedding_4bit",
)  # fmt: skip
def quantized_embedding(
    weight: Operand, indices: Shape, *_: Operand, out: Shape, **__: Operand
) -> Cost:
    """Scales and shifts each row that is taken, and adds it if there are bags.

    It is an estimate: elements that are packed into a byte count as one byte each.
    """
    n = indices.numel * (out[-1] if out else 1)
    bags = out.numel != n
    return Cost(
        arithmetic=n * (2 + bags),
        bytes_read=n + indices.nbytes,
        bytes_written=out.nbytes,
        estimate=True,
    )


@RULES.rule(
    *(
        f"quantized::embedding_bag_{bits}_prepack{suffix}"
        for bits in ("byte", "4bit", "2bit")
        for suffix in ("", "_with_rowwise_min_max")
    )
)
def prepack(weight: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes minimum and maximum of each row, then subtract, scale and round per element."""
    return Cost(arithmetic=5 * weight.numel)


@RULES.rule(
    "quantized::embedding_bag_byte_unpack",
    "quantized::embedding_bag_4bit_unpack",
    "quantized::embedding_bag_2bit_unpack",
)
def unpack(weight: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes a product and a sum per element."""
    return Cost(arithmetic=2 * prod(out))


@RULES.move("quantized::embedding_bag_prepack")
def wrap(weight: Shape, **_: Operand) -> Cost:
    """Copies a table that is already quantized into a packed object."""
    return Cost(bytes_read=weight.nbytes, bytes_written=weight.nbytes)

"""Embedding tables: a look-up reads only the rows it takes."""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, nbytes, shapes

SUM, MEAN, MAX = 0, 1, 2  # torch's numbers for `mode`


@RULES.move("aten::embedding")
def embedding(weight: Shape, indices: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """One row per index."""
    return Cost(bytes_read=out.nbytes + indices.nbytes, bytes_written=out.nbytes)


@RULES.rule("aten::embedding_dense_backward")
def embedding_dense_backward(grad: Shape, indices: Shape, *_: Any, **__: Any) -> Cost:
    """Adds each row of the gradient to its row of the table's."""
    return Cost(arithmetic=grad.numel)


@RULES.rule("aten::embedding_renorm")
def embedding_renorm(self: Shape, indices: Shape, *_: Any, **__: Any) -> Cost:
    """Norm and product for each row named: three operations per element, a root per row. An estimate: each row is done once."""
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


def bag(width: int, itemsize: int, indices: Shape, bags: int, mode: int, weighted: bool) -> Cost:
    """Rows folded into bags: a sum or maximum per element, a product if weighted, for the mean a division per result."""
    n = indices.numel * width
    arithmetic = n * (1 + weighted) + (bags * width if mode == MEAN else 0)
    return Cost(arithmetic=arithmetic, bytes_read=n * itemsize + indices.nbytes)


@RULES.rule(
    "aten::_embedding_bag", "aten::_embedding_bag_forward_only", "static_runtime::embedding_bag"
)
def embedding_bag(
    weight: Shape, indices: Shape, offsets: Shape, scale: bool = False, mode: int = SUM, sparse: bool = False,
    per_sample_weights: Any = None, *_: Any, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`bag`, reading offsets and weights besides."""
    row = weight.nbytes // max(weight.numel, 1)
    cost = bag(weight[-1], row, indices, shapes(out)[0][0], mode, per_sample_weights is not None)
    return cost + Cost(bytes_read=nbytes((offsets, per_sample_weights)), bytes_written=nbytes(out))


@RULES.rule("aten::_embedding_bag_dense_backward", "aten::_embedding_bag_backward")
def embedding_bag_backward(grad: Shape, indices: Shape, *_: Any, **__: Any) -> Cost:
    """Each index takes its bag's gradient, scaled, into its row."""
    return Cost(arithmetic=2 * indices.numel * grad[-1])


@RULES.rule("aten::_embedding_bag_per_sample_weights_backward")
def per_sample_weights_backward(
    grad: Shape, weight: Shape, indices: Shape, *_: Any, **__: Any
) -> Cost:
    """Per index the inner product of its row with its bag's gradient."""
    return Cost(arithmetic=2 * indices.numel * weight[-1])


@RULES.rule(
    "quantized::embedding_bag_byte_rowwise_offsets", "quantized::embedding_bag_4bit_rowwise_offsets",
    "quantized::embedding_bag_2bit_rowwise_offsets", "quantized::embedding_bag_byte", "quantized::embedding_bag_4bit",
    "quantized::embedding_byte", "quantized::embedding_4bit",
)  # fmt: skip
def quantized_embedding(weight: Any, indices: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """Each row taken is scaled and shifted (2 per element) and, in a bag, added. Packed elements are taken as a byte each."""
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
def prepack(weight: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """Minimum and maximum of each row, then subtract, scale and round per element."""
    return Cost(arithmetic=5 * weight.numel)


@RULES.rule(
    "quantized::embedding_bag_byte_unpack",
    "quantized::embedding_bag_4bit_unpack",
    "quantized::embedding_bag_2bit_unpack",
)
def unpack(weight: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """A product and a sum per element."""
    return Cost(arithmetic=2 * prod(out))


@RULES.move("quantized::embedding_bag_prepack")
def wrap(weight: Shape, **_: Any) -> Cost:
    """Copies an already quantised table into a packed object."""
    return Cost(bytes_read=weight.nbytes, bytes_written=weight.nbytes)

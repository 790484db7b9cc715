"""Contractions of three operands (``nn.Bilinear``), and pairwise distances."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.products import rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import broadcast


@RULES.rule("aten::bilinear")
def bilinear(
    input1: Shape, input2: Shape, weight: Shape, bias: Shape | None = None, *, out: Shape
) -> Cost:
    """Takes x1' A x2 from left to right, for each element of the result.

    That is I1 · I2 products for x1' A, and I2 for its product with x2.
    """
    per_output = (weight[1] + 1) * weight[2]
    return contraction(out.numel * per_output, out, bias=bias is not None)


@RULES.rule("aten::_trilinear")
def trilinear(
    i1: Shape, i2: Shape, i3: Shape, expand1: Sequence[int], expand2: Sequence[int],
    expand3: Sequence[int], sumdim: Sequence[int], *_: Operand, out: Shape,
) -> Cost:  # fmt: skip
    """Sums the product of three tensors over `sumdim`.

    The tensors are expanded along the dimensions named. The contraction runs from left to right:
    the first two over the summed dimensions that the third lacks, then the third.
    """
    rank = len(i1) + len(expand1)
    full = [spread(i1, expand1), spread(i2, expand2), spread(i3, expand3)]
    size = [max(s.get(dim, 1) for s in full) for dim in range(rank)]
    early = {dim for dim in sumdim if dim in expand3}
    first = prod(n for dim, n in enumerate(size) if dim in full[0] or dim in full[1])
    second = prod(n for dim, n in enumerate(size) if dim not in early)
    return contraction(first + second, out, operand=i1)


def spread(shape: Shape, expand: Sequence[int]) -> dict[int, int]:
    """The dimensions of the whole product that a tensor has itself, each with its size.

    The tensor lacks the dimensions in `expand`.
    """
    own = [dim for dim in range(len(shape) + len(expand)) if dim not in expand]
    return dict(zip(own, shape, strict=True))


@RULES.rule("aten::cdist", "aten::_cdist_forward", "aten::_euclidean_dist")
def cdist(x1: Shape, x2: Shape, *_: Operand, out: Shape) -> Cost:
    """Takes P · R · M MACs.

    Each pair and coordinate takes a difference (arithmetic) and the accumulation of its power; each
    pair takes a root.
    """
    macs = out.numel * x1[-1]
    return contraction(macs, out) + Cost(arithmetic=macs, transcendentals=out.numel)


@RULES.rule("aten::_pdist_forward", "aten::pdist")
def pdist(self: Shape, *_: Operand, out: Shape) -> Cost:
    """Costs what `cdist` does, over the N (N - 1) / 2 pairs of rows."""
    macs = out.numel * self[-1]
    return contraction(macs, out) + Cost(arithmetic=macs, transcendentals=out.numel)


@RULES.rule("aten::_cdist_backward")
def cdist_backward(
    grad: Shape, x1: Shape, x2: Shape, p: Operand, cdist: Shape, **_: Operand
) -> Cost:
    """Takes the gradient of `x1`.

    It scales and sums P · R · M differences, with one factor per pair.
    """
    pairs = broadcast(x1[:-2], x2[:-2]) * x1[-2] * x2[-2]
    return Cost(macs=pairs * x1[-1], arithmetic=pairs * x1[-1] + pairs)


@RULES.rule("aten::_pdist_backward")
def pdist_backward(grad: Shape, self: Shape, p: Operand, pdist: Shape, **_: Operand) -> Cost:
    """Adds the scaled difference of each pair to one row and takes it from the other."""
    pairs = rows(self) * (rows(self) - 1) // 2
    return Cost(macs=pairs * self[-1], arithmetic=2 * pairs * self[-1] + pairs)

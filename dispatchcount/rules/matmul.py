"""Matrix products: ``mm`` and its kin, batched, grouped, scaled and in low precision.

All operands and results may be sparse or nested (`core.products`). `beta` and `alpha` cost nothing,
because the scaling is folded into the product. A term that is added to the product is one addition
per element of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue
from dispatchcount.rules.core.group import group_among
from dispatchcount.rules.core.products import product
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.traffic import ALL_GATHER, REDUCE_SCATTER
from dispatchcount.rules.core.values import Contents, known


def matrix_product(a: Shape, b: Shape, out: Shape, *, plus: bool = False) -> Cost:
    """The MACs of ``a @ b``, and an addition per element of the result if `plus` is true."""
    macs, estimate = product(a, b)
    cost = contraction(macs, out, bias=plus, operand=a)
    return cost + Cost(estimate=True) if estimate else cost


@RULES.rule(
    "aten::mm", "aten::bmm", "aten::mv", "aten::dot", "aten::vdot", "aten::matmul",
    "aten::linalg_matmul", "aten::_int_mm", "aten::hspmm", "aten::smm", "aten::_sparse_mm",
    "aten::_sparse_sparse_matmul", "quantized::matmul", factors=(0, 1),
)  # fmt: skip
def mm(self: Shape, mat2: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes M·K·N MACs."""
    return matrix_product(self, mat2, out)


@RULES.rule(
    "aten::addmm",
    "aten::addmv",
    "aten::baddbmm",
    "aten::addbmm",
    "aten::_sparse_addmm",
    "aten::sspaddmm",
    factors=(1, 2),
)
def addmm(self: Shape, mat1: Shape, mat2: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes M·K·N MACs and the addition of `self`.

    `addbmm` also sums over its batch, which is part of the contraction.
    """
    return matrix_product(mat1, mat2, out, plus=True)


@RULES.rule("aten::_addmm_activation", factors=(1, 2))
def addmm_activation(
    self: Shape, mat1: Shape, mat2: Shape, *, use_gelu: bool = False, out: Shape, **_: Operand
) -> Cost:
    """Costs `addmm`, then a ReLU or the tanh form of GELU."""
    after = epilogue("gelu", out, "tanh") if use_gelu else epilogue("relu", out)
    return matrix_product(mat1, mat2, out, plus=True) + after


@RULES.rule("aten::addr", factors=(1, 2))
def addr(self: Shape, vec1: Shape, vec2: Shape, *, out: Shape, **_: Operand) -> Cost:
    """Takes a product with K = 1 and the addition of `self`."""
    return contraction(prod(vec1) * prod(vec2), out, bias=True)


@RULES.rule("aten::outer", "aten::ger")
def outer(self: Shape, vec2: Shape, *, out: Shape) -> Cost:
    """Takes one multiplication per element and sums nothing.

    Outside inference mode torch runs it as ``mul``, which costs the same.
    """
    return Cost(arithmetic=out.numel)


@RULES.rule("aten::inner")
def inner(self: Shape, other: Shape, *, out: Shape) -> Cost:
    """Multiplies every vector along the last dimension of one operand with every one of the other.

    It is a scaling if either operand is a scalar.
    """
    if not self or not other:
        return Cost(arithmetic=out.numel)
    return contraction(out.numel * self[-1], out, operand=self)


@RULES.rule("aten::_foreach_mm")
def foreach_mm(self: Sequence[Shape], mat2: Sequence[Shape], *, out: Sequence[Shape]) -> Cost:
    """Takes one product per pair."""
    return sum((matrix_product(a, b, o) for a, b, o in zip(self, mat2, out, strict=True)), Cost())


def packing(shape: Shape) -> int:
    """Numbers in one element of the storage dtype.

    Torch keeps 4-bit floats in pairs, so an element holds two.
    """
    return 2 if shape.dtype.startswith("float4") else 1


@RULES.rule("aten::_scaled_mm", factors=(0, 1))
def scaled_mm(
    self: Shape,
    mat2: Shape,
    scale_a: Shape,
    scale_b: Shape,
    bias: Shape | None = None,
    *_: Operand,
    out: Shape,
    **__: Operand,
) -> Cost:
    """Takes M·K·N MACs.

    Applying the scales is part of converting the result and costs nothing.
    """
    return contraction(product(self, mat2)[0] * packing(self), out, bias=bias is not None)


@RULES.rule("aten::_scaled_mm_v2", factors=(0, 1))
def scaled_mm_v2(
    self: Shape, mat2: Shape, scale_a: Operand, recipe_a: Operand, swizzle_a: Operand,
    scale_b: Operand, recipe_b: Operand, swizzle_b: Operand, bias: Shape | None, *_: Operand,
    out: Shape, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs what `scaled_mm` does."""
    return contraction(product(self, mat2)[0] * packing(self), out, bias=bias is not None)


def grouped_cost(a: Shape, b: Shape, offsets: Contents, bias: Shape | None, out: Shape) -> Cost:
    """A product per group.

    (G, M, K) @ (G, K, N) is a batched product. Otherwise the groups are ranges along one dimension
    of the 2-D operands, and `offsets` says where each range ends. They are

    * the rows of (M, K) @ (G, K, N),
    * the columns of (G, M, K) @ (K, N),
    * or the contraction of (M, K) @ (K, N) -> (G, M, N).

    What lies behind the last offset is not computed. If the contents of the offsets are not known,
    all of it is counted and marked as an estimate.
    """
    if len(a) == 3 and len(b) == 3:
        return contraction(product(a, b)[0] * packing(a), out, bias=bias is not None)
    ends = known(offsets)
    rows, inner, columns = a[-2], a[-1] * packing(a), b[-1]
    last = ends[-1] if ends else None
    if last is not None and len(a) == 2 and len(b) == 3:
        rows = last
    elif last is not None and len(a) == 3:
        columns = last
    elif last is not None:
        inner = last * packing(a)
    return contraction(rows * inner * columns, out, bias=bias is not None) + Cost(
        estimate=last is None
    )


@RULES.rule("aten::_grouped_mm", widths=widths.of(0, 1))
def grouped_mm(
    self: Shape,
    mat2: Shape,
    offs: Contents = None,
    bias: Shape | None = None,
    *_: Operand,
    out: Shape,
) -> Cost:
    """Costs `grouped_cost`."""
    return grouped_cost(self, mat2, offs, bias, out)


@RULES.rule("aten::_scaled_grouped_mm", widths=widths.of(0, 1))
def scaled_grouped_mm(
    self: Shape,
    mat2: Shape,
    scale_a: Shape,
    scale_b: Shape,
    offs: Contents = None,
    bias: Shape | None = None,
    *_: Operand,
    out: Shape,
) -> Cost:
    """Costs `grouped_cost`; the operands are 8-bit floats."""
    return grouped_cost(self, mat2, offs, bias, out)


@RULES.rule("aten::_scaled_grouped_mm_v2", widths=widths.of(0, 1))
def scaled_grouped_mm_v2(
    self: Shape, mat2: Shape, scale_a: Operand, recipe_a: Operand, swizzle_a: Operand,
    scale_b: Operand, recipe_b: Operand, swizzle_b: Operand, offs: Contents = None,
    bias: Shape | None = None, *_: Operand, out: Shape,
) -> Cost:  # fmt: skip
    """Costs `grouped_cost`; the operands are 8-bit or 4-bit floats."""
    return grouped_cost(self, mat2, offs, bias, out)


@RULES.rule("aten::matmul_backward")
def matmul_backward(
    grad: Shape, self: Shape, other: Shape, mask: Sequence[bool], **_: Operand
) -> Cost:
    """Takes as many MACs as the forward for each gradient that is asked for.

    Torch calls it for nested tensors only; the backward of others runs as products.
    """
    macs, _guess = product(self, other)
    return Cost(macs=macs * sum(map(bool, mask)))


@RULES.rule("aten::_compute_linear_combination")
def linear_combination(input: Shape, coefficients: Shape, *, out: Shape) -> Cost:
    """Takes ``coefficients @ input`` over the first dimension of `input`.

    It is a step of the matrix exponential.
    """
    return contraction(coefficients.numel * prod(input[1:]), out, operand=input)


@RULES.rule("inductor::_mm_plus_mm")
def mm_plus_mm(a: Shape, b: Shape, c: Shape, d: Shape, result: Shape, **_: Operand) -> Cost:
    """Takes ``a @ b + c @ d``: the second product is added to the first as it is formed."""
    return contraction(product(a, b)[0] + product(c, d)[0], result, operand=a)


@RULES.rule("symm_mem::fused_all_gather_matmul", factors=(0, 1))
def all_gather_matmul(
    A: Shape,
    Bs: Sequence[Shape],
    *more: Operand,
    out: tuple[Operand, Sequence[Shape]],
    **named: Operand,
) -> Cost:
    """Multiplies `A`, gathered from all ranks, with each of `Bs`.

    Each element of the results takes K MACs; the results are the second thing returned.
    """
    results = out[1]
    group = group_among(*more, *named.values())
    gathered = A.nbytes * group.size
    sent = Cost(payload_bytes=gathered, wire_bytes=ALL_GATHER.wire(gathered, group))
    return sum((contraction(o.numel * b[0], o) for o, b in zip(results, Bs, strict=True)), sent)


@RULES.rule("symm_mem::fused_all_gather_scaled_matmul", factors=(0, 1))
def all_gather_scaled_matmul(
    A: Shape,
    Bs: Sequence[Shape],
    *more: Operand,
    out: tuple[Operand, Sequence[Shape]],
    **named: Operand,
) -> Cost:
    """Costs what `all_gather_matmul` does; the scales, a few numbers, are not counted as sent."""
    return all_gather_matmul(A, Bs, *more, out=out, **named)


@RULES.rule(
    "symm_mem::fused_matmul_reduce_scatter",
    "symm_mem::fused_scaled_matmul_reduce_scatter",
    factors=(0, 1),
)
def matmul_reduce_scatter(A: Shape, B: Shape, *more: Operand, out: Shape, **named: Operand) -> Cost:
    """Forms the whole local product, the payload, before its shards are exchanged."""
    group = group_among(*more, *named.values())
    whole = out.nbytes * group.size
    return Cost(
        macs=prod(A) * B[-1],
        activations=out.numel,
        payload_bytes=whole,
        wire_bytes=REDUCE_SCATTER.wire(whole, group),
    )


@RULES.rule("symm_mem::_async_input_mm", factors=(0, 1))
def async_input_mm(a: Shape, b: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes M·K·N MACs, for the rows of `a` as they arrive."""
    return matrix_product(a, b, out)

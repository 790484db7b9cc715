"""Matrix products: ``mm`` and its kin, plain and with something added, batched, grouped, scaled and in low precision.

All operands and results may be sparse or nested (`products`). `beta` and `alpha` cost nothing: the scaling is folded into the
product; the term that is added is one addition per element of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue
from dispatchcount.rules.core.products import product
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.values import known


def matrix_product(a: Shape, b: Shape, out: Shape, *, plus: bool = False) -> Cost:
    """``a @ b``, and one addition per element of the result if something is added to it."""
    macs, estimate = product(a, b)
    cost = contraction(macs, out, bias=plus, operand=a)
    return cost + Cost(estimate=True) if estimate else cost


@RULES.rule(
    "aten::mm", "aten::bmm", "aten::mv", "aten::dot", "aten::vdot", "aten::matmul", "aten::linalg_matmul", "aten::_int_mm",
    "aten::hspmm", "aten::smm", "aten::_sparse_mm", "aten::_sparse_sparse_matmul", "quantized::matmul",
)  # fmt: skip
def mm(self: Shape, mat2: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """M·K·N."""
    return matrix_product(self, mat2, out)


@RULES.rule(
    "aten::addmm",
    "aten::addmv",
    "aten::baddbmm",
    "aten::addbmm",
    "aten::_sparse_addmm",
    "aten::sspaddmm",
)
def addmm(self: Shape, mat1: Shape, mat2: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """M·K·N and the addition of `self`. `addbmm` sums its batch too: that is part of the contraction."""
    return matrix_product(mat1, mat2, out, plus=True)


@RULES.rule("aten::_addmm_activation")
def addmm_activation(
    self: Shape, mat1: Shape, mat2: Shape, *, use_gelu: bool = False, out: Shape, **_: Any
) -> Cost:
    """addmm, then ReLU or tanh-GELU."""
    after = epilogue("gelu", out, "tanh") if use_gelu else epilogue("relu", out)
    return matrix_product(mat1, mat2, out, plus=True) + after


@RULES.rule("aten::addr")
def addr(self: Shape, vec1: Shape, vec2: Shape, *, out: Shape, **_: Any) -> Cost:
    """A product with K = 1 and the addition of `self`."""
    return contraction(prod(vec1) * prod(vec2), out, bias=True)


@RULES.rule("aten::outer", "aten::ger")
def outer(self: Shape, vec2: Shape, *, out: Shape) -> Cost:
    """One multiplication per element and nothing summed: what it costs as the ``mul`` that it becomes outside inference mode."""
    return Cost(arithmetic=out.numel)


@RULES.rule("aten::inner")
def inner(self: Shape, other: Shape, *, out: Shape) -> Cost:
    """Every vector along the last dimension of one with every such vector of the other; a scaling if either is a scalar."""
    if not self or not other:
        return Cost(arithmetic=out.numel)
    return contraction(out.numel * self[-1], out, operand=self)


@RULES.rule("aten::_foreach_mm")
def foreach_mm(self: Sequence[Shape], mat2: Sequence[Shape], *, out: Sequence[Shape]) -> Cost:
    """One product per pair."""
    return sum((matrix_product(a, b, o) for a, b, o in zip(self, mat2, out, strict=True)), Cost())


def packing(shape: Shape) -> int:
    """Numbers in one element of the storage dtype: two for 4-bit floats, which torch keeps in pairs."""
    return 2 if shape.dtype.startswith("float4") else 1


@RULES.rule("aten::_scaled_mm")
def scaled_mm(
    self: Shape,
    mat2: Shape,
    scale_a: Shape,
    scale_b: Shape,
    bias: Shape | None = None,
    *_: Any,
    out: Shape,
    **__: Any,
) -> Cost:
    """M·K·N; applying the scales is part of the conversion of the result, which costs nothing."""
    return contraction(product(self, mat2)[0] * packing(self), out, bias=bias is not None)


@RULES.rule("aten::_scaled_mm_v2")
def scaled_mm_v2(
    self: Shape, mat2: Shape, scale_a: Any, recipe_a: Any, swizzle_a: Any, scale_b: Any, recipe_b: Any, swizzle_b: Any,
    bias: Shape | None, *_: Any, out: Shape, **__: Any,
) -> Cost:  # fmt: skip
    """As `scaled_mm`."""
    return contraction(product(self, mat2)[0] * packing(self), out, bias=bias is not None)


def grouped(a: Shape, b: Shape, offsets: Any, bias: Shape | None, out: Shape) -> Cost:
    """A product per group.

    (G, M, K) @ (G, K, N) is a batched product. Otherwise the groups are ranges along one dimension of the 2-D operands, ended by
    `offsets`: the rows of (M, K) @ (G, K, N), the columns of (G, M, K) @ (K, N), the contraction of (M, K) @ (K, N) -> (G, M, N).
    What lies behind the last offset is not computed; without the offsets' contents all of it is counted, as an estimate.
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


@RULES.rule("aten::_grouped_mm")
def grouped_mm(
    self: Shape, mat2: Shape, offs: Any = None, bias: Shape | None = None, *_: Any, out: Shape
) -> Cost:
    """`grouped`."""
    return grouped(self, mat2, offs, bias, out)


@RULES.rule("aten::_scaled_grouped_mm")
def scaled_grouped_mm(
    self: Shape,
    mat2: Shape,
    scale_a: Shape,
    scale_b: Shape,
    offs: Any = None,
    bias: Shape | None = None,
    *_: Any,
    out: Shape,
) -> Cost:
    """`grouped`, in 8-bit floats."""
    return grouped(self, mat2, offs, bias, out)


@RULES.rule("aten::_scaled_grouped_mm_v2")
def scaled_grouped_mm_v2(
    self: Shape, mat2: Shape, scale_a: Any, recipe_a: Any, swizzle_a: Any, scale_b: Any, recipe_b: Any, swizzle_b: Any,
    offs: Any = None, bias: Shape | None = None, *_: Any, out: Shape,
) -> Cost:  # fmt: skip
    """`grouped`, in 8-bit and 4-bit floats."""
    return grouped(self, mat2, offs, bias, out)


@RULES.rule("aten::matmul_backward")
def matmul_backward(grad: Shape, self: Shape, other: Shape, mask: Sequence[bool], **_: Any) -> Cost:
    """For each gradient asked for as many MACs as the forward product (nested tensors only; others run as products)."""
    macs, _guess = product(self, other)
    return Cost(macs=macs * sum(map(bool, mask)))


@RULES.rule("aten::_compute_linear_combination")
def linear_combination(input: Shape, coefficients: Shape, *, out: Shape) -> Cost:
    """``coefficients @ input`` over the first dimension of `input`, a step of the matrix exponential."""
    return contraction(coefficients.numel * prod(input[1:]), out, operand=input)


@RULES.rule("inductor::_mm_plus_mm")
def mm_plus_mm(a: Shape, b: Shape, c: Shape, d: Shape, result: Shape, **_: Any) -> Cost:
    """``a @ b + c @ d``: the second product is added to the first as it is formed."""
    return contraction(product(a, b)[0] + product(c, d)[0], result, operand=a)


@RULES.rule("symm_mem::fused_all_gather_matmul")
def all_gather_matmul(A: Shape, Bs: Sequence[Shape], *_: Any, out: Any, **__: Any) -> Cost:
    """The gathered `A` with each of `Bs`: K for every element of the results (the last ``len(Bs)`` tensors returned)."""
    results = out[1]
    return sum((contraction(o.numel * b[0], o) for o, b in zip(results, Bs, strict=True)), Cost())


@RULES.rule("symm_mem::fused_all_gather_scaled_matmul")
def all_gather_scaled_matmul(A: Shape, Bs: Sequence[Shape], *_: Any, out: Any, **__: Any) -> Cost:
    """As `all_gather_matmul`."""
    return all_gather_matmul(A, Bs, out=out)


@RULES.rule("symm_mem::fused_matmul_reduce_scatter", "symm_mem::fused_scaled_matmul_reduce_scatter")
def matmul_reduce_scatter(A: Shape, B: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """The whole local product is formed before its shards are exchanged."""
    return Cost(macs=prod(A) * B[-1], activations=out.numel)


@RULES.rule("symm_mem::_async_input_mm")
def async_input_mm(a: Shape, b: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """M·K·N, the rows of `a` as they arrive."""
    return matrix_product(a, b, out)

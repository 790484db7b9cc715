"""Sparse products that have operators of their own; what ``mm``, ``addmm`` … do with sparse operands is in `products`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.products import product, rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.linear import linear_cost


@RULES.rule("aten::sparse_sampled_addmm")
def sampled_addmm(self: Shape, mat1: Shape, mat2: Shape, *, out: Shape, **_: Any) -> Cost:
    """K for each stored element of `self`, where alone the product is formed, and its addition to that element."""
    return contraction(self.nnz * mat1[-1], self, bias=True)


@RULES.rule("aten::_sparse_mm_reduce_impl", "aten::_sparse_mm.reduce")
def mm_reduce(self: Shape, other: Shape, reduce: str, *, out: Any) -> Cost:
    """Stored elements · columns, whether summed, averaged or compared; a mean divides each result."""
    return contraction(product(self, other)[0], result(out)) + Cost(
        arithmetic=result(out).numel * (reduce == "mean")
    )


@RULES.rule("aten::_sparse_mm_reduce_impl_backward")
def mm_reduce_backward(
    self: Shape,
    grad_out: Shape,
    weight: Shape,
    reduce: str,
    arg_out: Any,
    output_mask: Sequence[bool],
    **_: Any,
) -> Cost:
    """For each gradient asked for, stored elements · columns."""
    return Cost(macs=self.nnz * grad_out[-1] * sum(map(bool, output_mask)))


@RULES.rule("aten::_sparse_semi_structured_mm")
def semi_structured_mm(mat1: Shape, mat1_meta: Shape, mat2: Shape, *, out: Shape, **_: Any) -> Cost:
    """`mat1` holds the stored half of its elements: M · K / 2 · N."""
    return contraction(mat1.numel * mat2[-1], out)


@RULES.rule("aten::_sparse_semi_structured_addmm")
def semi_structured_addmm(
    input: Shape, mat1: Shape, mat1_meta: Shape, mat2: Shape, *, out: Shape, **_: Any
) -> Cost:
    """`semi_structured_mm` and the addition of `input`."""
    return contraction(mat1.numel * mat2[-1], out, bias=True)


@RULES.rule("aten::_sparse_semi_structured_linear")
def semi_structured_linear(
    input: Shape,
    weight: Shape,
    meta: Shape,
    *,
    bias: Shape | None = None,
    activation: str | None = None,
    out: Shape,
    **_: Any,
) -> Cost:
    """Rows · stored elements of the weight, which are half of them, then an activation."""
    return contraction(rows(input) * weight.numel, out, bias=bias is not None) + epilogue(
        activation, out
    )


@RULES.rule("aten::_cslt_sparse_mm")
def cslt_mm(
    compressed_A: Shape,
    dense_B: Shape,
    bias: Shape | None = None,
    alpha: Shape | None = None,
    *_: Any,
    out: Shape,
    **__: Any,
) -> Cost:
    """Two of four elements along K are stored: K / 2 for each result; `alpha` scales it."""
    macs = out.numel * (dense_B[-2] // 2)
    return contraction(macs, out, bias=bias is not None) + (
        function_cost("mul", out.numel) if alpha is not None else Cost()
    )


@RULES.rule(
    "sparse::qlinear",
    "sparse::qlinear_dynamic",
    "sparse::qlinear_relu",
    "sparse::qlinear_relu_dynamic",
)
def qlinear(X: Shape, W_prepack: Any, *_: Any, out: Shape) -> Cost:
    """The full weight: which of its blocks are stored is inside the packed object, so this is an upper estimate."""
    return linear_cost(X, out) + Cost(estimate=True)


RULES.unknown(
    {
        "aten::_cslt_sparse_mm_search": "it tries one kernel after the other until it has found the fastest"
    }
)

"""Sparse products that have operators of their own.

What ``mm``, ``addmm`` … do with sparse operands is in `core.products`.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.products import product, rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.linear import linear_cost


@RULES.rule("aten::sparse_sampled_addmm", factors=(1, 2))
def sampled_addmm(self: Shape, mat1: Shape, mat2: Shape, *, out: Shape, **_: Operand) -> Cost:
    """Takes K MACs for each stored element of `self`, and adds the product to that element.

    The product is formed nowhere else.
    """
    return contraction(self.nnz * mat1[-1], self, bias=True)


@RULES.rule("aten::_sparse_mm_reduce_impl", "aten::_sparse_mm.reduce")
def mm_reduce(self: Shape, other: Shape, reduce: str, *, out: Operand) -> Cost:
    """Takes stored elements · columns MACs.

    That holds for sums, means and comparisons; a mean also divides each result.
    """
    return contraction(product(self, other)[0], result(out)) + Cost(
        arithmetic=result(out).numel * (reduce == "mean")
    )


@RULES.rule("aten::_sparse_mm_reduce_impl_backward")
def mm_reduce_backward(
    self: Shape,
    grad_out: Shape,
    weight: Shape,
    reduce: str,
    arg_out: Operand,
    output_mask: Sequence[bool],
    **_: Operand,
) -> Cost:
    """Takes stored elements · columns MACs for each gradient that is asked for."""
    return Cost(macs=self.nnz * grad_out[-1] * sum(map(bool, output_mask)))


@RULES.rule("aten::_sparse_semi_structured_mm", factors=(0, 2))
def semi_structured_mm(
    mat1: Shape, mat1_meta: Shape, mat2: Shape, *, out: Shape, **_: Operand
) -> Cost:
    """Takes M · K / 2 · N MACs: `mat1` holds the half of its elements that is stored."""
    return contraction(mat1.numel * mat2[-1], out)


@RULES.rule("aten::_sparse_semi_structured_addmm", factors=(1, 3))
def semi_structured_addmm(
    input: Shape, mat1: Shape, mat1_meta: Shape, mat2: Shape, *, out: Shape, **_: Operand
) -> Cost:
    """Costs `semi_structured_mm` and the addition of `input`."""
    return contraction(mat1.numel * mat2[-1], out, bias=True)


@RULES.rule("aten::_sparse_semi_structured_linear", factors=(0, 1))
def semi_structured_linear(
    input: Shape,
    weight: Shape,
    meta: Shape,
    *,
    bias: Shape | None = None,
    activation: str | None = None,
    out: Shape,
    **_: Operand,
) -> Cost:
    """Takes rows · stored elements of the weight, then an activation function.

    Half of the weight's elements are stored.
    """
    return contraction(rows(input) * weight.numel, out, bias=bias is not None) + epilogue(
        activation, out
    )


@RULES.rule("aten::_cslt_sparse_mm", factors=(0, 1))
def cslt_mm(
    compressed_A: Shape,
    dense_B: Shape,
    bias: Shape | None = None,
    alpha: Shape | None = None,
    *_: Operand,
    out: Shape,
    **__: Operand,
) -> Cost:
    """Takes K / 2 MACs for each result, which `alpha` may scale.

    Two of four elements along K are stored.
    """
    macs = out.numel * (dense_B[-2] // 2)
    return contraction(macs, out, bias=bias is not None) + (
        function_cost("mul", out.numel) if alpha is not None else Cost()
    )


@RULES.rule(
    "sparse::qlinear",
    "sparse::qlinear_dynamic",
    "sparse::qlinear_relu",
    "sparse::qlinear_relu_dynamic",
    widths=widths.fixed(8, 8),
)
def qlinear(X: Shape, W_prepack: Operand, *_: Operand, out: Shape) -> Cost:
    """Takes the MACs of the full weight, which is an upper estimate.

    Which of its blocks are stored is inside the packed object.
    """
    return linear_cost(X, out) + Cost(estimate=True)


RULES.unknown(
    {
        "aten::_cslt_sparse_mm_search": (
            "it tries one kernel after the other until it has found the fastest"
        )
    }
)

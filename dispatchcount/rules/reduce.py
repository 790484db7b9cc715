"""Reductions and scans. A reduction of n elements counts n operations: every element is folded into an accumulator once.

`mean` and the pools to one element are the same arithmetic; see `mean` for how adaptive pooling is told from it.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import first

_FOLDS = words("""
    sum nansum prod amax amin argmax argmin any all count_nonzero _is_all_true _is_any_true hash_tensor cumsum cumprod cummax
    cummin _cummax_helper _cummin_helper _sparse_sum _sparse_csr_sum _sparse_csr_prod
""")
_TWO_FOLDS = words("""
    aminmax _aminmax
""")

VAR_PER_ELEMENT = 4
"""Mean (add), then subtract, square and add."""


def fold(self: Shape, *_: Any, **__: Any) -> Cost:
    """One operation per element that goes in."""
    return Cost(arithmetic=self.numel)


def two_folds(self: Shape, *_: Any, **__: Any) -> Cost:
    """A minimum and a maximum per element."""
    return Cost(arithmetic=2 * self.numel)


RULES.rule(*(f"aten::{name}" for name in _FOLDS))(fold)
RULES.rule(*(f"aten::{name}" for name in _TWO_FOLDS))(two_folds)


@RULES.rule("aten::max", "aten::min")
def extremum(self: Shape, other: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """Of one tensor a reduction, of two an element-wise comparison."""
    return Cost(arithmetic=first(out) if isinstance(other, Shape) else self.numel)


@RULES.rule("aten::mean")
def mean(self: Shape, dim: Any = None, keepdim: bool = False, *, out: Shape, **_: Any) -> Cost:
    """An addition per element and a division per result.

    torch turns adaptive average pooling to one pixel into ``mean(x, [-1, -2], True)``, dimensions in that order, before it can be
    seen as pooling. So that call on three or four dimensions has fvcore's figure for adaptive_avg_pool2d, its input's elements.
    """
    pooling = dim is not None and tuple(dim) == (-1, -2) and keepdim and len(self) in (3, 4)
    return Cost(arithmetic=self.numel + out.numel, fvcore=self.numel if pooling else 0)


@RULES.rule("aten::var", "aten::var_mean")
def var(self: Shape, *_: Any, out: Any, **__: Any) -> Cost:
    """The mean, then the mean squared distance from it: `VAR_PER_ELEMENT` and two divisions per result."""
    return Cost(arithmetic=VAR_PER_ELEMENT * self.numel + 2 * first(out))


@RULES.rule("aten::std", "aten::std_mean")
def std(self: Shape, *_: Any, out: Any, **__: Any) -> Cost:
    """A variance and its root."""
    return var(self, out=out) + Cost(transcendentals=first(out))


@RULES.rule("aten::linalg_vector_norm", "aten::norm", "aten::native_norm")
def norm(self: Shape, p: Any = 2, *_: Any, out: Shape, **__: Any) -> Cost:
    """Two operations per element (square and add, magnitude and add, magnitude and maximum, compare and count), and a root per
    result for p = 2; any other p takes a power per element and per result. A p that was not kept counts as 2.
    """
    if p in (0, 1, float("inf"), float("-inf"), "inf", "-inf"):
        return Cost(arithmetic=2 * self.numel)
    powers = 0 if p in (None, 2) else self.numel
    return Cost(arithmetic=2 * self.numel, transcendentals=powers + out.numel)


@RULES.rule("aten::linalg__powsum")
def powsum(self: Shape, p: Any = 2, *_: Any, **__: Any) -> Cost:
    """A magnitude to the power p, and an addition per element."""
    return Cost(
        arithmetic=2 * self.numel, transcendentals=0 if p in (None, 0, 1, 2) else self.numel
    )


@RULES.rule("aten::dist")
def dist(self: Shape, other: Shape, p: Any = 2, *, out: Shape) -> Cost:
    """The norm of a difference."""
    n = max(self.numel, other.numel)
    return Cost(arithmetic=n) + norm(Shape((n,)), p, out=out)


@RULES.rule("aten::equal")
def equal(self: Shape, other: Shape, **_: Any) -> Cost:
    """A comparison per element."""
    return Cost(arithmetic=self.numel)


@RULES.rule("aten::allclose")
def allclose(self: Shape, other: Shape, *_: Any, **__: Any) -> Cost:
    """``|a - b| <= atol + rtol * |b|`` per element, and the conjunction."""
    return Cost(arithmetic=7 * max(self.numel, other.numel))


@RULES.rule("aten::trace")
def trace(self: Shape, **_: Any) -> Cost:
    """An addition per element of the diagonal, all that is read."""
    n = min(self)
    return Cost(arithmetic=n, bytes_read=self.nbytes // max(self.numel, 1) * n)


@RULES.rule("aten::segment_reduce")
def segment_reduce(data: Shape, reduce: str, *, out: Shape, **_: Any) -> Cost:
    """An operation per element, and for the mean a division per segment."""
    return Cost(arithmetic=data.numel + (out.numel if reduce == "mean" else 0))


@RULES.rule("aten::_segment_reduce_backward")
def segment_reduce_backward(grad: Shape, output: Shape, data: Shape, reduce: str, **_: Any) -> Cost:
    """A division per segment for the mean, a quotient and a product per element for the product, a comparison for min and max."""
    each = {"sum": 0, "mean": 0, "prod": 2}.get(reduce, 1)
    return Cost(arithmetic=each * data.numel + (grad.numel if reduce == "mean" else 0))


@RULES.rule("aten::_standard_gamma_grad", "aten::_dirichlet_grad")
def gamma_grad(*args: Any, out: Shape, **_: Any) -> Cost:
    """The implicit derivative of a gamma variate, counted as one transcendental per element."""
    return Cost(transcendentals=out.numel)

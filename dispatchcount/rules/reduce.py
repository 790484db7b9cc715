"""Reductions and scans.

A reduction of n elements counts n operations: each element is folded into an accumulator once.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import aten
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import first

_FOLDS = aten("""
    sum nansum prod amax amin argmax argmin any all count_nonzero _is_all_true _is_any_true
    hash_tensor cumsum cumprod cummax cummin _cummax_helper _cummin_helper _sparse_sum
    _sparse_csr_sum _sparse_csr_prod
""")

VAR_PER_ELEMENT = 4
"""The mean takes an addition; its distance is then subtracted, squared and added."""


def fold(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes one operation per element that goes in."""
    return Cost(arithmetic=self.numel)


def two_folds(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a minimum and a maximum per element."""
    return Cost(arithmetic=2 * self.numel)


RULES.rule(*_FOLDS)(fold)
RULES.rule("aten::aminmax", "aten::_aminmax")(two_folds)


@RULES.rule("aten::max", "aten::min")
def extremum(self: Shape, other: Operand = None, *_: Operand, out: Operand, **__: Operand) -> Cost:
    """Reduces one tensor, or compares two element by element."""
    return Cost(arithmetic=first(out) if isinstance(other, Shape) else self.numel)


@RULES.rule("aten::mean")
def mean(
    self: Shape,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    out: Shape,
    **_: Operand,
) -> Cost:
    """Takes an addition per element and a division per result.

    Torch turns adaptive average pooling to one pixel into ``mean(x, [-1, -2], True)``, with the
    dimensions in that order, before a mode can see it as pooling. So that call on three or four
    dimensions has fvcore's figure for adaptive_avg_pool2d: the elements of its input.
    """
    pooling = dim is not None and tuple(dim) == (-1, -2) and keepdim and len(self) in (3, 4)
    return Cost(arithmetic=self.numel + out.numel, fvcore=self.numel if pooling else 0)


@RULES.rule("aten::var", "aten::var_mean")
def var(self: Shape, *_: Operand, out: Operand, **__: Operand) -> Cost:
    """Takes the mean, then the mean squared distance from it: two divisions per result."""
    return Cost(arithmetic=VAR_PER_ELEMENT * self.numel + 2 * first(out))


@RULES.rule("aten::std", "aten::std_mean")
def std(self: Shape, *_: Operand, out: Operand, **__: Operand) -> Cost:
    """Takes a variance and its root."""
    return var(self, out=out) + Cost(transcendentals=first(out))


@RULES.rule("aten::linalg_vector_norm", "aten::norm", "aten::native_norm")
def norm(self: Shape, p: Operand = 2, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes two operations per element, and a root per result for p = 2.

    The two are square and add, magnitude and add, magnitude and maximum, or compare and count. Any
    other p takes a power per element and per result. A p whose value was not kept counts as 2.
    """
    if p in (0, 1, float("inf"), float("-inf"), "inf", "-inf"):
        return Cost(arithmetic=2 * self.numel)
    powers = 0 if p in (None, 2) else self.numel
    return Cost(arithmetic=2 * self.numel, transcendentals=powers + out.numel)


@RULES.rule("aten::linalg__powsum")
def powsum(self: Shape, p: Operand = 2, *_: Operand, **__: Operand) -> Cost:
    """Takes a magnitude to the power p and an addition per element."""
    return Cost(
        arithmetic=2 * self.numel, transcendentals=0 if p in (None, 0, 1, 2) else self.numel
    )


@RULES.rule("aten::dist")
def dist(self: Shape, other: Shape, p: Operand = 2, *, out: Shape) -> Cost:
    """Takes the norm of a difference."""
    n = max(self.numel, other.numel)
    return Cost(arithmetic=n) + norm(Shape((n,)), p, out=out)


@RULES.rule("aten::equal")
def equal(self: Shape, other: Shape, **_: Operand) -> Cost:
    """Takes a comparison per element."""
    return Cost(arithmetic=self.numel)


@RULES.rule("aten::allclose")
def allclose(self: Shape, other: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes ``|a - b| <= atol + rtol * |b|`` per element, and the conjunction."""
    return Cost(arithmetic=7 * max(self.numel, other.numel))


@RULES.rule("aten::trace")
def trace(self: Shape, **_: Operand) -> Cost:
    """Adds the elements of the diagonal, which alone are read."""
    n = min(self)
    return Cost(arithmetic=n, bytes_read=self.nbytes // max(self.numel, 1) * n)


@RULES.rule("aten::segment_reduce")
def segment_reduce(data: Shape, reduce: str, *, out: Shape, **_: Operand) -> Cost:
    """Takes an operation per element, and for the mean a division per segment."""
    return Cost(arithmetic=data.numel + (out.numel if reduce == "mean" else 0))


@RULES.rule("aten::_segment_reduce_backward")
def segment_reduce_backward(
    grad: Shape, output: Shape, data: Shape, reduce: str, **_: Operand
) -> Cost:
    """Takes what the gradient of the reduction needs.

    That is a division per segment for the mean, a quotient and a product per element for the
    product, and a comparison per element for minimum and maximum.
    """
    each = {"sum": 0, "mean": 0, "prod": 2}.get(reduce, 1)
    return Cost(arithmetic=each * data.numel + (grad.numel if reduce == "mean" else 0))


@RULES.rule("aten::_standard_gamma_grad", "aten::_dirichlet_grad")
def gamma_grad(*args: Operand, out: Shape, **_: Operand) -> Cost:
    """Takes one transcendental per element.

    It stands for the implicit derivative of a gamma variate.
    """
    return Cost(transcendentals=out.numel)

"""Softmax in all its kernels, and logsumexp."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import along

SOFTMAX_ARITHMETIC = 4
"""Operations per element: maximum, subtract, sum, divide. The exponential is a transcendental."""

SOFTMAX_BACKWARD_ARITHMETIC = 4
"""Operations per element of ``y * (g - sum(g * y))``: multiply, sum, subtract, multiply."""


def softmax_cost(elements: int) -> Cost:
    """A softmax over `elements` scores, however they are split into rows.

    Attention kernels have one inside, so they use this too.
    """
    return Cost(arithmetic=SOFTMAX_ARITHMETIC * elements, transcendentals=elements)


@RULES.rule(
    "aten::softmax", "aten::_softmax", "aten::_safe_softmax", "aten::_sparse_softmax",
    "aten::_nested_tensor_softmax_with_shape", "quantized::softmax",
)  # fmt: skip
def softmax(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a maximum, a subtraction, an exponential, a sum and a division per element."""
    return softmax_cost(self.numel)


@RULES.rule("aten::_masked_softmax")
def masked_softmax(self: Shape, mask: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a softmax and a select per element."""
    return softmax(self) + Cost(arithmetic=self.numel)


@RULES.rule("aten::log_softmax", "aten::_log_softmax", "aten::_sparse_log_softmax")
def log_softmax(self: Shape, dim: int, *_: Operand, **__: Operand) -> Cost:
    """Takes a maximum, a subtraction, an exponential and a sum per element.

    The logarithm of each row's sum is then subtracted from each element.
    """
    n = self.numel
    return Cost(arithmetic=4 * n, transcendentals=n + n // max(along(self, dim), 1))


@RULES.rule(
    "aten::_softmax_backward_data",
    "aten::_masked_softmax_backward",
    "aten::_sparse_softmax_backward_data",
)
def softmax_backward(grad: Shape, output: Shape, *_: Operand, **__: Operand) -> Cost:
    """``y * (g - sum(g * y))`` takes two products, a sum and a subtraction per element."""
    return Cost(arithmetic=SOFTMAX_BACKWARD_ARITHMETIC * output.numel)


@RULES.rule("aten::_log_softmax_backward_data", "aten::_sparse_log_softmax_backward_data")
def log_softmax_backward(grad: Shape, output: Shape, *_: Operand, **__: Operand) -> Cost:
    """``g - exp(y) * sum(g)`` takes a sum, a product and a subtraction per element.

    The exponential is a transcendental.
    """
    return Cost(arithmetic=3 * output.numel, transcendentals=output.numel)


@RULES.rule("aten::logsumexp")
def logsumexp(self: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Takes a maximum, a subtraction, an exponential and a sum per element.

    Each result takes a logarithm and an addition.
    """
    return Cost(arithmetic=3 * self.numel + out.numel, transcendentals=self.numel + out.numel)


@RULES.rule("aten::logcumsumexp", "aten::_logcumsumexp")
def logcumsumexp(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a logaddexp per element: ``max + log1p(exp(-|a - b|))``."""
    return Cost(arithmetic=5 * self.numel, transcendentals=2 * self.numel)

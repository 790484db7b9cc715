"""Softmax in all its kernels, and logsumexp."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import along

SOFTMAX_ARITHMETIC = 4
"""Operations per element: maximum, subtract, sum, divide. The exponential is a transcendental."""

SOFTMAX_BACKWARD_ARITHMETIC = 4
"""Operations per element of ``y * (g - sum(g * y))``: multiply, sum, subtract, multiply."""


def softmax_cost(elements: int) -> Cost:
    """A softmax over `elements` scores, however they are split into rows.

    Attention kernels have one inside.
    """
    return Cost(arithmetic=SOFTMAX_ARITHMETIC * elements, transcendentals=elements)


@RULES.rule(
    "aten::softmax", "aten::_softmax", "aten::_safe_softmax", "aten::_sparse_softmax", "aten::_nested_tensor_softmax_with_shape",
    "quantized::softmax",
)  # fmt: skip
def softmax(self: Shape, *_: Any, **__: Any) -> Cost:
    """Maximum, subtraction, exponential, sum and division, each once per element."""
    return softmax_cost(self.numel)


@RULES.rule("aten::_masked_softmax")
def masked_softmax(self: Shape, mask: Shape, *_: Any, **__: Any) -> Cost:
    """A softmax and a select per element."""
    return softmax(self) + Cost(arithmetic=self.numel)


@RULES.rule("aten::log_softmax", "aten::_log_softmax", "aten::_sparse_log_softmax")
def log_softmax(self: Shape, dim: int, *_: Any, **__: Any) -> Cost:
    """Maximum, subtraction, exponential and sum per element, a logarithm per row, and the subtraction of it."""
    n = self.numel
    return Cost(arithmetic=4 * n, transcendentals=n + n // max(along(self, dim), 1))


@RULES.rule(
    "aten::_softmax_backward_data",
    "aten::_masked_softmax_backward",
    "aten::_sparse_softmax_backward_data",
)
def softmax_backward(grad: Shape, output: Shape, *_: Any, **__: Any) -> Cost:
    """``y * (g - sum(g * y))``: two products, a sum and a subtraction per element."""
    return Cost(arithmetic=SOFTMAX_BACKWARD_ARITHMETIC * output.numel)


@RULES.rule("aten::_log_softmax_backward_data", "aten::_sparse_log_softmax_backward_data")
def log_softmax_backward(grad: Shape, output: Shape, *_: Any, **__: Any) -> Cost:
    """``g - exp(y) * sum(g)``: a sum, a product and a subtraction per element."""
    return Cost(arithmetic=3 * output.numel, transcendentals=output.numel)


@RULES.rule("aten::logsumexp")
def logsumexp(self: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """Maximum, subtraction, exponential and sum per element; a logarithm and an addition per result."""
    return Cost(arithmetic=3 * self.numel + out.numel, transcendentals=self.numel + out.numel)


@RULES.rule("aten::logcumsumexp", "aten::_logcumsumexp")
def logcumsumexp(self: Shape, *_: Any, **__: Any) -> Cost:
    """A logaddexp per element: ``max + log1p(exp(-|a - b|))``."""
    return Cost(arithmetic=5 * self.numel, transcendentals=2 * self.numel)

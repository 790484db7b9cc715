"""Fused optimizer steps and gradient scaling, per parameter element, as the kernels in ATen/native/FusedAdam write them.

Weight decay is counted where the step has the argument, for the number itself may not have been kept. The bytes are those of the
operands that the schema names: the gradients are among what is written, for a step that undoes their scaling writes them back.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import numel, shapes
from dispatchcount.rules.core.sizes import given

ADAM = 12
"""First moment 3 (lerp), second 4 (``b2 * v + (1 - b2) * g * g``), denominator 2 (``sqrt(v) / c + eps``), update 3."""

DECAY = 2
SGD = 2
MOMENTUM = 3
NESTEROV = 2
ADAGRAD = 6
"""State 2 (``s + g * g``), update 4 (``p - lr * g / (sqrt(s) + eps)``)."""


@RULES.rule("aten::_fused_adam", "aten::_fused_adamw")
def fused_adam(
    self: Any, grads: Any, exp_avgs: Any, exp_avg_sqs: Any, max_exp_avg_sqs: Any, *_: Any,
    amsgrad: bool = False, maximize: bool = False, grad_scale: Any = None, **__: Any,
) -> Cost:  # fmt: skip
    """`ADAM` and `DECAY`; a maximum for amsgrad, a sign for maximize, a division for a scaled gradient."""
    n = numel(self)
    return Cost(
        arithmetic=(ADAM + DECAY + amsgrad + maximize + given(grad_scale)) * n, transcendentals=n
    )


@RULES.rule("aten::_fused_sgd")
def fused_sgd(
    self: Any, grads: Any, momentum_buffers: Any, *_: Any,
    nesterov: bool = False, maximize: bool = False, is_first_step: bool = False, grad_scale: Any = None, **__: Any,
) -> Cost:  # fmt: skip
    """`SGD` and `DECAY`; with momentum buffers `MOMENTUM` after the first step, which only copies; `NESTEROV`."""
    each = SGD + DECAY + maximize + given(grad_scale)
    if shapes(momentum_buffers):
        each += (0 if is_first_step else MOMENTUM) + NESTEROV * nesterov
    return Cost(arithmetic=each * numel(self))


@RULES.rule("aten::_fused_adagrad")
def fused_adagrad(
    self: Any,
    grads: Any,
    state_sums: Any,
    state_steps: Any,
    *_: Any,
    maximize: bool = False,
    grad_scale: Any = None,
    **__: Any,
) -> Cost:
    """`ADAGRAD` and `DECAY`."""
    n = numel(self)
    return Cost(arithmetic=(ADAGRAD + DECAY + maximize + given(grad_scale)) * n, transcendentals=n)


@RULES.rule("aten::_amp_foreach_non_finite_check_and_unscale")
def unscale(self: Any, *_: Any, **__: Any) -> Cost:
    """A check and a product per element of the gradients."""
    return Cost(arithmetic=2 * numel(self))


@RULES.rule("aten::_amp_update_scale")
def update_scale(self: Any, *_: Any, **__: Any) -> Cost:
    """A product for the scale, a comparison and an addition for the tracker."""
    return Cost(arithmetic=3 * numel(self))

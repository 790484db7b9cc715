"""Fused optimizer steps and gradient scaling, as ATen's FusedAdam and its kin write them.

The figures are operations per element of the parameters. Weight decay is counted if the step has
the argument, because the number itself may not have been kept. The bytes are those of the operands
that the schema names. Gradients count as written too, because a step that undoes their scaling
writes them back.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, numel, shapes
from dispatchcount.rules.core.sizes import count_given

ADAM = 12
"""Operations of a step without its extras.

First moment 3 (lerp), second moment 4 (``b2 * v + (1 - b2) * g * g``), denominator 2 (``sqrt(v) / c
+ eps``), update 3.
"""

DECAY = 2
"""``g + decay * p``."""

SGD = 2
"""``p - lr * g``."""

MOMENTUM = 3
"""``momentum * b + (1 - dampening) * g``."""

NESTEROV = 2
"""``g + momentum * b``."""

ADAGRAD = 6
"""State 2 (``s + g * g``), update 4 (``p - lr * g / (sqrt(s) + eps)``)."""


@RULES.rule("aten::_fused_adam", "aten::_fused_adamw")
def fused_adam(
    self: Operand, grads: Operand, exp_avgs: Operand, exp_avg_sqs: Operand,
    max_exp_avg_sqs: Operand, *_: Operand, amsgrad: bool = False, maximize: bool = False,
    grad_scale: Operand = None, **__: Operand,
) -> Cost:  # fmt: skip
    """Takes `ADAM` and `DECAY`.

    It adds a maximum for amsgrad, a sign for maximize, and a division for a scaled gradient.
    """
    n = numel(self)
    return Cost(
        arithmetic=(ADAM + DECAY + amsgrad + maximize + count_given(grad_scale)) * n,
        transcendentals=n,
    )


@RULES.rule("aten::_fused_sgd")
def fused_sgd(
    self: Operand, grads: Operand, momentum_buffers: Operand, *_: Operand, nesterov: bool = False,
    maximize: bool = False, is_first_step: bool = False, grad_scale: Operand = None, **__: Operand,
) -> Cost:  # fmt: skip
    """Takes `SGD` and `DECAY`.

    With momentum buffers it adds `MOMENTUM` after the first step, which only copies the gradient,
    and `NESTEROV` if asked for.
    """
    each = SGD + DECAY + maximize + count_given(grad_scale)
    if shapes(momentum_buffers):
        each += (0 if is_first_step else MOMENTUM) + NESTEROV * nesterov
    return Cost(arithmetic=each * numel(self))


@RULES.rule("aten::_fused_adagrad")
def fused_adagrad(
    self: Operand,
    grads: Operand,
    state_sums: Operand,
    state_steps: Operand,
    *_: Operand,
    maximize: bool = False,
    grad_scale: Operand = None,
    **__: Operand,
) -> Cost:
    """Takes `ADAGRAD` and `DECAY`."""
    n = numel(self)
    return Cost(
        arithmetic=(ADAGRAD + DECAY + maximize + count_given(grad_scale)) * n, transcendentals=n
    )


@RULES.rule("aten::_amp_foreach_non_finite_check_and_unscale")
def unscale(self: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes a check and a product per element of the gradients."""
    return Cost(arithmetic=2 * numel(self))


@RULES.rule("aten::_amp_update_scale")
def update_scale(self: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes a product for the scale, a comparison and an addition for the tracker."""
    return Cost(arithmetic=3 * numel(self))

"""Normalisations, backward. fvcore counts the forward alone, so these add nothing to its convention.

Shared parts, per element: the normalised input (2), the input's gradient (a product with the weight if there is one, the two sums
of ``g`` and ``g * x_hat`` 3, and ``rstd * (g - a - x_hat * b)`` 4), the weight's gradient (2) and the bias's (1).
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import given

X_HAT = 2
FROM_STATISTICS = 7
WEIGHT = 2
BIAS = 1


def backward(n: int, weight: Any, mask: Any, through_statistics: bool = True) -> Cost:
    """The gradients that `mask` asks for: input, weight, bias. Fixed statistics make the input's one product."""
    to_input = given(weight) + (FROM_STATISTICS if through_statistics else 1)
    normalised = X_HAT if (mask[0] and through_statistics) or mask[1] else 0
    each = normalised + to_input * bool(mask[0]) + WEIGHT * bool(mask[1]) + BIAS * bool(mask[2])
    return Cost(arithmetic=n * each)


@RULES.rule("aten::native_batch_norm_backward")
def native_batch_norm_backward(
    grad: Shape, input: Shape, weight: Any, running_mean: Any, running_var: Any, save_mean: Any, save_invstd: Any,
    train: bool, eps: Any, mask: Any, **_: Any,
) -> Cost:  # fmt: skip
    """In eval mode the statistics are constants."""
    return backward(input.numel, weight, mask, train)


@RULES.rule("aten::batch_norm_backward")
def batch_norm_backward(
    grad: Shape, input: Shape, weight: Any, running_mean: Any, running_var: Any, save_mean: Any, save_var: Any,
    update: bool, eps: Any, mask: Any, reserve: Any, **_: Any,
) -> Cost:  # fmt: skip
    """The consolidated operator; `update` is whether the forward trained."""
    return backward(input.numel, weight, mask, update)


@RULES.rule("aten::cudnn_batch_norm_backward", "aten::miopen_batch_norm_backward")
def cudnn_batch_norm_backward(input: Shape, grad: Shape, weight: Shape, *_: Any, **__: Any) -> Cost:
    """Always training, always all three gradients."""
    return backward(input.numel, weight, (True, True, True))


@RULES.rule("aten::batch_norm_backward_reduce")
def batch_norm_backward_reduce(
    grad: Shape,
    input: Shape,
    mean: Shape,
    invstd: Shape,
    weight: Any,
    input_g: bool,
    weight_g: bool,
    bias_g: bool,
    **_: Any,
) -> Cost:
    """The sums of ``g`` and ``g * (x - mean)`` per channel, which the weight's and the bias's gradients are too."""
    return Cost(arithmetic=4 * input.numel)


@RULES.rule("aten::batch_norm_backward_elemt")
def batch_norm_backward_elemt(grad: Shape, input: Shape, *_: Any, **__: Any) -> Cost:
    """``(g - a - (x - mean) * b) * c`` per element."""
    return Cost(arithmetic=5 * input.numel)


@RULES.rule("aten::native_layer_norm_backward")
def native_layer_norm_backward(
    grad: Shape,
    input: Shape,
    normalized_shape: Any,
    mean: Any,
    rstd: Any,
    weight: Any,
    bias: Any,
    mask: Any,
    **_: Any,
) -> Cost:
    """Gradients as `mask` asks."""
    return backward(input.numel, weight, mask)


@RULES.rule("aten::native_group_norm_backward")
def native_group_norm_backward(
    grad: Shape,
    input: Shape,
    mean: Any,
    rstd: Any,
    weight: Any,
    N: int,
    C: int,
    HxW: int,
    group: int,
    mask: Any,
    **_: Any,
) -> Cost:
    """Gradients as `mask` asks."""
    return backward(input.numel, weight, mask)


@RULES.rule("aten::_fused_rms_norm_backward")
def fused_rms_norm_backward(
    grad: Shape, input: Shape, normalized_shape: Any, rstd: Any, weight: Any, mask: Any, **_: Any
) -> Cost:
    """As layer norm without a mean: one product normalises, one sum and ``rstd * (g - x_hat * b)`` make the gradient."""
    each = 1 + (5 + given(weight)) * bool(mask[0]) + WEIGHT * bool(mask[1])
    return Cost(arithmetic=input.numel * each)


@RULES.rule("aten::_weight_norm_interface_backward")
def weight_norm_backward(grad: Shape, v: Shape, g: Shape, norms: Shape, *_: Any, **__: Any) -> Cost:
    """``sum(grad * v)`` per row, and ``g / norm * (grad - v * s)`` per element."""
    return Cost(arithmetic=5 * v.numel + 3 * g.numel)

"""Normalizations, backward.

fvcore counts the forward alone, so these rules add nothing to its convention. All share these
parts, per element:

* the normalized input x_hat (2),
* the input's gradient: a product with the weight if there is one, the two sums of ``g`` and
  ``g * x_hat`` (3), and ``rstd * (g - a - x_hat * b)`` (4),
* the weight's gradient (2) and the bias's (1).
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import count_given

X_HAT = 2
"""Operations per element that normalize the input again."""

FROM_STATISTICS = 7
"""Operations per element for the input's gradient, if the statistics depend on the input."""

WEIGHT = 2
"""Operations per element for the weight's gradient."""

BIAS = 1
"""Operations per element for the bias's gradient."""


def backward(
    n: int, weight: Operand, mask: Sequence[bool], through_statistics: bool = True
) -> Cost:
    """The gradients that `mask` asks for: of input, weight and bias.

    If the statistics are constants, the input's gradient is one product.
    """
    to_input = count_given(weight) + (FROM_STATISTICS if through_statistics else 1)
    normalised = X_HAT if (mask[0] and through_statistics) or mask[1] else 0
    each = normalised + to_input * bool(mask[0]) + WEIGHT * bool(mask[1]) + BIAS * bool(mask[2])
    return Cost(arithmetic=n * each)


@RULES.rule("aten::native_batch_norm_backward")
def native_batch_norm_backward(
    grad: Shape, input: Shape, weight: Operand, running_mean: Operand, running_var: Operand,
    save_mean: Operand, save_invstd: Operand, train: bool, eps: Operand, mask: Sequence[bool],
    **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `backward`; in eval mode the statistics are constants."""
    return backward(input.numel, weight, mask, train)


@RULES.rule("aten::batch_norm_backward")
def batch_norm_backward(
    grad: Shape, input: Shape, weight: Operand, running_mean: Operand, running_var: Operand,
    save_mean: Operand, save_var: Operand, update: bool, eps: Operand, mask: Sequence[bool],
    reserve: Operand, **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `backward`; `update` is true if the forward trained."""
    return backward(input.numel, weight, mask, update)


@RULES.rule("aten::cudnn_batch_norm_backward", "aten::miopen_batch_norm_backward")
def cudnn_batch_norm_backward(
    input: Shape, grad: Shape, weight: Shape, *_: Operand, **__: Operand
) -> Cost:
    """Costs `backward` of a norm that trains, with all three gradients."""
    return backward(input.numel, weight, (True, True, True))


@RULES.rule("aten::batch_norm_backward_reduce")
def batch_norm_backward_reduce(
    grad: Shape,
    input: Shape,
    mean: Shape,
    invstd: Shape,
    weight: Operand,
    input_g: bool,
    weight_g: bool,
    bias_g: bool,
    **_: Operand,
) -> Cost:
    """Sums ``g`` and ``g * (x - mean)`` per channel.

    These sums are the gradients of weight and bias too.
    """
    return Cost(arithmetic=4 * input.numel)


@RULES.rule("aten::batch_norm_backward_elemt")
def batch_norm_backward_elemt(grad: Shape, input: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes ``(g - a - (x - mean) * b) * c`` per element."""
    return Cost(arithmetic=5 * input.numel)


@RULES.rule("aten::native_layer_norm_backward")
def native_layer_norm_backward(
    grad: Shape,
    input: Shape,
    normalized_shape: Operand,
    mean: Operand,
    rstd: Operand,
    weight: Operand,
    bias: Operand,
    mask: Sequence[bool],
    **_: Operand,
) -> Cost:
    """Costs `backward`."""
    return backward(input.numel, weight, mask)


@RULES.rule("aten::native_group_norm_backward")
def native_group_norm_backward(
    grad: Shape,
    input: Shape,
    mean: Operand,
    rstd: Operand,
    weight: Operand,
    N: int,
    C: int,
    HxW: int,
    group: int,
    mask: Sequence[bool],
    **_: Operand,
) -> Cost:
    """Costs `backward`."""
    return backward(input.numel, weight, mask)


@RULES.rule("aten::_fused_rms_norm_backward")
def fused_rms_norm_backward(
    grad: Shape,
    input: Shape,
    normalized_shape: Operand,
    rstd: Operand,
    weight: Operand,
    mask: Sequence[bool],
    **_: Operand,
) -> Cost:
    """Costs what layer norm's backward does, without a mean.

    One product normalizes; one sum and ``rstd * (g - x_hat * b)`` make the gradient.
    """
    each = 1 + (5 + count_given(weight)) * bool(mask[0]) + WEIGHT * bool(mask[1])
    return Cost(arithmetic=input.numel * each)


@RULES.rule("aten::_weight_norm_interface_backward")
def weight_norm_backward(
    grad: Shape, v: Shape, g: Shape, norms: Shape, *_: Operand, **__: Operand
) -> Cost:
    """Takes ``sum(grad * v)`` per row, and ``g / norm * (grad - v * s)`` per element."""
    return Cost(arithmetic=5 * v.numel + 3 * g.numel)

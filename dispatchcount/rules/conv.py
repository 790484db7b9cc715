"""Convolutions, forward, transposed and backward, under the name of every library that runs them.

A convolution multiplies every element of the result with one filter: (in / groups) · kernel
elements, the weight without its first dimension. A transposed one does so for every element of its
input.

Taps that fall on padding are counted, as fvcore and torch's counter do: N · spatial · prod(weight).
Stride, dilation and padding change nothing but the sizes. Unbatched inputs have the same formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.uses import Place, Places, evenly

BY_WEIGHT = evenly(1, unevenly=(0,))
"""Each element of the weight meets as many positions as any other."""


def conv_cost(
    input: Shape, weight: Shape, bias: Operand, out: Shape, *, transposed: bool = False
) -> Cost:
    """One filter per element of the result, or of the input if the convolution is transposed.

    A bias is added once per element of the result.
    """
    return contraction(
        filters(input, weight, out, transposed=transposed), out, bias=bias is not None
    )


def filters(input: Shape, weight: Shape, out: Shape, *, transposed: bool) -> int:
    """MACs of a convolution, not multiplied by 4 if it is complex.

    The weight is (out, in / groups, …), and for a transposed convolution (in, out / groups, …).
    """
    return (input if transposed else out).numel * prod(weight[1:])


@RULES.rule(
    "aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::_convolution_mode",
    "aten::mkldnn_convolution", "aten::_mps_convolution", "aten::_nnpack_spatial_convolution",
    "aten::miopen_convolution", "aten::miopen_depthwise_convolution", uses=BY_WEIGHT,
)  # fmt: skip
def conv(input: Shape, weight: Shape, bias: Shape | None = None, *_: Operand, out: Shape) -> Cost:
    """Takes (in / groups) · kernel MACs per element of the result."""
    return conv_cost(input, weight, bias, out)


@RULES.rule(
    "aten::convolution", "aten::_convolution", "aten::convolution_overrideable", uses=BY_WEIGHT
)
def convolution(
    input: Shape,
    weight: Shape,
    bias: Shape | None,
    stride: Operand,
    padding: Operand,
    dilation: Operand,
    transposed: bool,
    *_: Operand,
    out: Shape,
) -> Cost:
    """Costs `conv`, or `conv_transpose` if it is transposed."""
    return conv_cost(input, weight, bias, out, transposed=bool(transposed))


@RULES.rule(
    "aten::conv_transpose1d",
    "aten::conv_transpose2d",
    "aten::conv_transpose3d",
    "aten::miopen_convolution_transpose",
    uses=BY_WEIGHT,
)
def conv_transpose(
    input: Shape, weight: Shape, bias: Shape | None = None, *_: Operand, out: Shape
) -> Cost:
    """Takes (out / groups) · kernel MACs per element of the input."""
    return conv_cost(input, weight, bias, out, transposed=True)


@RULES.rule("aten::cudnn_convolution", uses=BY_WEIGHT)
def cudnn(self: Shape, weight: Shape, *_: Operand, out: Shape) -> Cost:
    """Costs `conv`; another operator adds the bias."""
    return conv_cost(self, weight, None, out)


@RULES.rule("aten::cudnn_convolution_transpose", "aten::_mps_convolution_transpose", uses=BY_WEIGHT)
def cudnn_transpose(self: Shape, weight: Shape, *_: Operand, out: Shape) -> Cost:
    """Costs `conv_transpose`; another operator adds the bias."""
    return conv_cost(self, weight, None, out, transposed=True)


@RULES.rule("aten::cudnn_convolution_relu", "aten::miopen_convolution_relu", uses=BY_WEIGHT)
def conv_relu(self: Shape, weight: Shape, bias: Shape | None, *_: Operand, out: Shape) -> Cost:
    """Costs `conv` and a ReLU."""
    return conv_cost(self, weight, bias, out) + epilogue("relu", out)


@RULES.rule("aten::cudnn_convolution_add_relu", "aten::miopen_convolution_add_relu", uses=BY_WEIGHT)
def conv_add_relu(
    self: Shape,
    weight: Shape,
    z: Shape,
    alpha: Operand,
    bias: Shape | None,
    *_: Operand,
    out: Shape,
) -> Cost:
    """Costs `conv`, the addition of ``alpha * z``, and a ReLU."""
    return (
        conv_cost(self, weight, bias, out) + function_cost("add", out.numel) + epilogue("relu", out)
    )


@RULES.rule(
    "aten::thnn_conv2d", "aten::_slow_conv2d_forward", "aten::slow_conv3d",
    "aten::slow_conv3d_forward", "aten::slow_conv_dilated2d", "aten::slow_conv_dilated3d",
    "aten::_conv_depthwise2d", "aten::conv_depthwise3d", uses=BY_WEIGHT,
)  # fmt: skip
def conv_with_kernel(
    self: Shape,
    weight: Shape,
    kernel_size: Operand,
    bias: Shape | None = None,
    *_: Operand,
    out: Shape,
) -> Cost:
    """Costs `conv`; ATen's own kernels are given the kernel size as an argument."""
    return conv_cost(self, weight, bias, out)


@RULES.rule("aten::slow_conv_transpose2d", "aten::slow_conv_transpose3d", uses=BY_WEIGHT)
def transpose_with_kernel(
    self: Shape,
    weight: Shape,
    kernel_size: Operand,
    bias: Shape | None = None,
    *_: Operand,
    out: Shape,
) -> Cost:
    """Costs `conv_transpose`; ATen's own kernels are given the kernel size as an argument."""
    return conv_cost(self, weight, bias, out, transposed=True)


@RULES.rule("aten::conv_tbc", uses=BY_WEIGHT)
def conv_tbc(self: Shape, weight: Shape, bias: Shape, *_: Operand, out: Shape) -> Cost:
    """Costs a convolution over (time, batch, channel), whose weight is (kernel, in, out)."""
    return contraction(out.numel * weight[0] * weight[1], out, bias=True)


@RULES.rule("mkldnn::_convolution_pointwise", uses=BY_WEIGHT)
def onednn_unary(
    X: Shape, W: Shape, B: Shape | None, padding: Operand, stride: Operand, dilation: Operand,
    groups: int, attr: str, scalars: Operand, algorithm: str | None, *, out: Shape,
) -> Cost:  # fmt: skip
    """Costs `conv` and the activation function `attr`."""
    return conv_cost(X, W, B, out) + epilogue(attr, out, algorithm)


@RULES.rule("mkldnn::_convolution_pointwise.binary", uses=evenly(2, unevenly=(0,)))
def onednn_binary(
    X: Shape, other: Shape, W: Shape, B: Shape | None, padding: Operand, stride: Operand,
    dilation: Operand, groups: int, binary_attr: str, alpha: Operand, unary_attr: str | None,
    unary_scalars: Operand, unary_algorithm: str | None, *, out: Shape,
) -> Cost:  # fmt: skip
    """Costs `conv`, then `binary_attr` (add, sub …) with `other`, then an activation function."""
    after = function_cost(binary_attr, out.numel) + epilogue(unary_attr, out, unary_algorithm)
    return conv_cost(X, W, B, out) + after


@RULES.rule("mkldnn::_convolution_pointwise_.binary", uses=evenly(2, unevenly=(1,)))
def onednn_binary_inplace(
    other: Shape, X: Shape, W: Shape, B: Shape | None, padding: Operand, stride: Operand,
    dilation: Operand, groups: int, binary_attr: str, alpha: Operand, unary_attr: str | None,
    unary_scalars: Operand, unary_algorithm: str | None, *, out: Shape,
) -> Cost:  # fmt: skip
    """Costs what `onednn_binary` does, and writes to `other`."""
    after = function_cost(binary_attr, out.numel) + epilogue(unary_attr, out, unary_algorithm)
    return conv_cost(X, W, B, out) + after


@RULES.rule("mkldnn::_convolution_transpose_pointwise")
def onednn_transpose(
    X: Shape, W: Shape, B: Shape | None, padding: Operand, output_padding: Operand, stride: Operand,
    dilation: Operand, groups: int, attr: str, scalars: Operand, algorithm: str | None, *,
    out: Shape,
) -> Cost:  # fmt: skip
    """Costs `conv_transpose` and an activation function.

    A packed weight may be (in, out, …) or (out, in, …), so the filter's size is taken as its
    elements divided by `in`.
    """
    macs = X.numel * (W.numel // X[1]) if X.numel else 0
    return contraction(macs, out, bias=B is not None) + epilogue(attr, out, algorithm)


def conv_backward_cost(
    grad_output: Shape, input: Shape, weight: Shape, mask: Sequence[bool], *, transposed: bool
) -> Cost:
    """The gradients that `mask` asks for: of input, weight and bias.

    Those of input and weight take as many MACs as the forward, each. That of the bias adds up
    `grad_output`.
    """
    to_input, to_weight, to_bias = [*map(bool, mask), False][:3]
    macs = filters(input, weight, grad_output, transposed=transposed) * (
        4 if weight.is_complex else 1
    )
    return Cost(macs=macs * (to_input + to_weight), arithmetic=grad_output.numel * to_bias)


def in_backward(macs: int, *args: Any, **_: Operand) -> Places | None:
    """Only the gradient of the input multiplies with the weight.

    It takes as many of the MACs as that of the weight does, if both are asked for.
    """
    mask = args[10]
    if not isinstance(mask, list | tuple):
        return None
    to_input, to_weight = map(bool, mask[:2])
    data: dict[Place, int | None] = {(0, None): None, (1, None): None}
    if not to_input or not args[2].numel:
        return data
    return data | {(2, None): macs // (to_input + to_weight) // args[2].numel}


@RULES.rule("aten::convolution_backward", uses=in_backward)
def backward(
    grad_output: Shape, input: Shape, weight: Shape, bias_sizes: Operand, stride: Operand,
    padding: Operand, dilation: Operand, transposed: bool, output_padding: Operand, groups: int,
    output_mask: Sequence[bool], **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `conv_backward_cost`."""
    return conv_backward_cost(grad_output, input, weight, output_mask, transposed=bool(transposed))


@RULES.rule("aten::convolution_backward_overrideable")
def backward_overrideable(
    grad_output: Shape, input: Shape, weight: Shape, stride: Operand, padding: Operand,
    dilation: Operand, transposed: bool, output_padding: Operand, groups: int,
    output_mask: Sequence[bool], **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `conv_backward_cost`."""
    return conv_backward_cost(grad_output, input, weight, output_mask, transposed=bool(transposed))


@RULES.rule("aten::mps_convolution_backward")
def backward_mps(
    self: Shape, grad_output: Shape, weight: Shape, padding: Operand, stride: Operand,
    dilation: Operand, groups: int, output_mask: Sequence[bool], **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `conv_backward_cost`."""
    return conv_backward_cost(grad_output, self, weight, output_mask, transposed=False)


@RULES.rule("aten::mps_convolution_transpose_backward")
def backward_mps_transpose(
    self: Shape, grad_output: Shape, weight: Shape, padding: Operand, output_padding: Operand,
    stride: Operand, dilation: Operand, groups: int, output_mask: Sequence[bool], **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `conv_backward_cost`, without a bias."""
    return conv_backward_cost(grad_output, self, weight, output_mask, transposed=True)


@RULES.rule("aten::_slow_conv2d_backward")
def backward_slow(
    grad_output: Shape, self: Shape, weight: Shape, kernel_size: Operand, stride: Operand,
    padding: Operand, output_mask: Sequence[bool] = (True, True, True), **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `conv_backward_cost`."""
    return conv_backward_cost(grad_output, self, weight, output_mask, transposed=False)


@RULES.rule("aten::conv_tbc_backward")
def backward_tbc(
    self: Shape, input: Shape, weight: Shape, bias: Shape, pad: int, **_: Operand
) -> Cost:
    """Takes the gradients of input, weight and bias.

    `self` is the gradient of the result.
    """
    return Cost(macs=2 * self.numel * weight[0] * weight[1], arithmetic=self.numel)

"""Convolutions, forward, transposed and backward, under the name of every library that runs them.

A convolution multiplies every element of the result with one filter: (in / groups) · kernel, the weight without its first
dimension. A transposed one does so for every element of its input. Taps that fall on padding are counted, as fvcore and torch's
counter do: N · spatial · prod(weight). Stride, dilation and padding act through the sizes alone. Unbatched inputs are covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape


def conv_cost(
    input: Shape, weight: Shape, bias: Any, out: Shape, *, transposed: bool = False
) -> Cost:
    """One filter per element of the result, or of the input if transposed, and the bias once per element of the result."""
    return contraction(
        filters(input, weight, out, transposed=transposed), out, bias=bias is not None
    )


def filters(input: Shape, weight: Shape, out: Shape, *, transposed: bool) -> int:
    """Real MACs of a convolution with `weight` (out, in / groups, …), transposed (in, out / groups, …)."""
    return (input if transposed else out).numel * prod(weight[1:])


@RULES.rule(
    "aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::_convolution_mode", "aten::mkldnn_convolution",
    "aten::_mps_convolution", "aten::_nnpack_spatial_convolution", "aten::miopen_convolution",
    "aten::miopen_depthwise_convolution",
)  # fmt: skip
def conv(input: Shape, weight: Shape, bias: Shape | None = None, *_: Any, out: Shape) -> Cost:
    """Number of results · (in / groups) · kernel."""
    return conv_cost(input, weight, bias, out)


@RULES.rule("aten::convolution", "aten::_convolution", "aten::convolution_overrideable")
def convolution(
    input: Shape,
    weight: Shape,
    bias: Shape | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    *_: Any,
    out: Shape,
) -> Cost:
    """`conv` or `conv_transpose`."""
    return conv_cost(input, weight, bias, out, transposed=bool(transposed))


@RULES.rule(
    "aten::conv_transpose1d",
    "aten::conv_transpose2d",
    "aten::conv_transpose3d",
    "aten::miopen_convolution_transpose",
)
def conv_transpose(
    input: Shape, weight: Shape, bias: Shape | None = None, *_: Any, out: Shape
) -> Cost:
    """Number of inputs · (out / groups) · kernel."""
    return conv_cost(input, weight, bias, out, transposed=True)


@RULES.rule("aten::cudnn_convolution")
def cudnn(self: Shape, weight: Shape, *_: Any, out: Shape) -> Cost:
    """`conv`; the bias is added by another operator."""
    return conv_cost(self, weight, None, out)


@RULES.rule("aten::cudnn_convolution_transpose", "aten::_mps_convolution_transpose")
def cudnn_transpose(self: Shape, weight: Shape, *_: Any, out: Shape) -> Cost:
    """`conv_transpose`; the bias is added by another operator."""
    return conv_cost(self, weight, None, out, transposed=True)


@RULES.rule("aten::cudnn_convolution_relu", "aten::miopen_convolution_relu")
def conv_relu(self: Shape, weight: Shape, bias: Shape | None, *_: Any, out: Shape) -> Cost:
    """`conv`, then ReLU."""
    return conv_cost(self, weight, bias, out) + epilogue("relu", out)


@RULES.rule("aten::cudnn_convolution_add_relu", "aten::miopen_convolution_add_relu")
def conv_add_relu(
    self: Shape, weight: Shape, z: Shape, alpha: Any, bias: Shape | None, *_: Any, out: Shape
) -> Cost:
    """`conv`, plus ``alpha * z``, then ReLU."""
    return (
        conv_cost(self, weight, bias, out) + function_cost("add", out.numel) + epilogue("relu", out)
    )


@RULES.rule(
    "aten::thnn_conv2d", "aten::_slow_conv2d_forward", "aten::slow_conv3d", "aten::slow_conv3d_forward",
    "aten::slow_conv_dilated2d", "aten::slow_conv_dilated3d", "aten::_conv_depthwise2d", "aten::conv_depthwise3d",
)  # fmt: skip
def conv_with_kernel(
    self: Shape, weight: Shape, kernel_size: Any, bias: Shape | None = None, *_: Any, out: Shape
) -> Cost:
    """`conv`, by ATen's own kernels, which are given the kernel size apart."""
    return conv_cost(self, weight, bias, out)


@RULES.rule("aten::slow_conv_transpose2d", "aten::slow_conv_transpose3d")
def transpose_with_kernel(
    self: Shape, weight: Shape, kernel_size: Any, bias: Shape | None = None, *_: Any, out: Shape
) -> Cost:
    """`conv_transpose`, by ATen's own kernels."""
    return conv_cost(self, weight, bias, out, transposed=True)


@RULES.rule("aten::conv_tbc")
def conv_tbc(self: Shape, weight: Shape, bias: Shape, *_: Any, out: Shape) -> Cost:
    """Time, batch, channel: the weight is (kernel, in, out)."""
    return contraction(out.numel * weight[0] * weight[1], out, bias=True)


@RULES.rule("mkldnn::_convolution_pointwise")
def onednn_unary(
    X: Shape, W: Shape, B: Shape | None, padding: Any, stride: Any, dilation: Any, groups: int, attr: str, scalars: Any,
    algorithm: Any, *, out: Shape,
) -> Cost:  # fmt: skip
    """`conv`, then the activation `attr`."""
    return conv_cost(X, W, B, out) + epilogue(attr, out, algorithm)


@RULES.rule("mkldnn::_convolution_pointwise.binary")
def onednn_binary(
    X: Shape, other: Shape, W: Shape, B: Shape | None, padding: Any, stride: Any, dilation: Any, groups: int, binary_attr: str,
    alpha: Any, unary_attr: str | None, unary_scalars: Any, unary_algorithm: Any, *, out: Shape,
) -> Cost:  # fmt: skip
    """`conv`, then `binary_attr` (add, sub, mul …) with `other`, then an activation."""
    after = function_cost(binary_attr, out.numel) + epilogue(unary_attr, out, unary_algorithm)
    return conv_cost(X, W, B, out) + after


@RULES.rule("mkldnn::_convolution_pointwise_.binary")
def onednn_binary_inplace(
    other: Shape, X: Shape, W: Shape, B: Shape | None, padding: Any, stride: Any, dilation: Any, groups: int, binary_attr: str,
    alpha: Any, unary_attr: str | None, unary_scalars: Any, unary_algorithm: Any, *, out: Shape,
) -> Cost:  # fmt: skip
    """As `onednn_binary`, into `other`."""
    after = function_cost(binary_attr, out.numel) + epilogue(unary_attr, out, unary_algorithm)
    return conv_cost(X, W, B, out) + after


@RULES.rule("mkldnn::_convolution_transpose_pointwise")
def onednn_transpose(
    X: Shape, W: Shape, B: Shape | None, padding: Any, output_padding: Any, stride: Any, dilation: Any, groups: int, attr: str,
    scalars: Any, algorithm: Any, *, out: Shape,
) -> Cost:  # fmt: skip
    """`conv_transpose`, then an activation. A packed weight may be turned round: one filter is its elements over `in`."""
    macs = X.numel * (W.numel // X[1]) if X.numel else 0
    return contraction(macs, out, bias=B is not None) + epilogue(attr, out, algorithm)


def backward_cost(
    grad_output: Shape, input: Shape, weight: Shape, mask: Sequence[bool], *, transposed: bool
) -> Cost:
    """The gradients of input and weight take as many MACs as the forward, each; the bias adds up `grad_output`."""
    to_input, to_weight, to_bias = [*map(bool, mask), False][:3]
    macs = filters(input, weight, grad_output, transposed=transposed) * (
        4 if weight.is_complex else 1
    )
    return Cost(macs=macs * (to_input + to_weight), arithmetic=grad_output.numel * to_bias)


@RULES.rule("aten::convolution_backward")
def backward(
    grad_output: Shape, input: Shape, weight: Shape, bias_sizes: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int, output_mask: Sequence[bool], **_: Any,
) -> Cost:  # fmt: skip
    """`backward_cost`."""
    return backward_cost(grad_output, input, weight, output_mask, transposed=bool(transposed))


@RULES.rule("aten::convolution_backward_overrideable")
def backward_overrideable(
    grad_output: Shape, input: Shape, weight: Shape, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int, output_mask: Sequence[bool], **_: Any,
) -> Cost:  # fmt: skip
    """`backward_cost`."""
    return backward_cost(grad_output, input, weight, output_mask, transposed=bool(transposed))


@RULES.rule("aten::mps_convolution_backward")
def backward_mps(
    self: Shape, grad_output: Shape, weight: Shape, padding: Any, stride: Any, dilation: Any, groups: int,
    output_mask: Sequence[bool], **_: Any,
) -> Cost:  # fmt: skip
    """`backward_cost`."""
    return backward_cost(grad_output, self, weight, output_mask, transposed=False)


@RULES.rule("aten::mps_convolution_transpose_backward")
def backward_mps_transpose(
    self: Shape, grad_output: Shape, weight: Shape, padding: Any, output_padding: Any, stride: Any, dilation: Any, groups: int,
    output_mask: Sequence[bool], **_: Any,
) -> Cost:  # fmt: skip
    """`backward_cost` without a bias."""
    return backward_cost(grad_output, self, weight, output_mask, transposed=True)


@RULES.rule("aten::_slow_conv2d_backward")
def backward_slow(
    grad_output: Shape, self: Shape, weight: Shape, kernel_size: Any, stride: Any, padding: Any,
    output_mask: Sequence[bool] = (True, True, True), **_: Any,
) -> Cost:  # fmt: skip
    """`backward_cost`."""
    return backward_cost(grad_output, self, weight, output_mask, transposed=False)


@RULES.rule("aten::conv_tbc_backward")
def backward_tbc(self: Shape, input: Shape, weight: Shape, bias: Shape, pad: int, **_: Any) -> Cost:
    """Gradients of input, weight and bias; `self` is the gradient of the result."""
    return Cost(macs=2 * self.numel * weight[0] * weight[1], arithmetic=self.numel)

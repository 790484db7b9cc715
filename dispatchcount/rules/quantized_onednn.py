"""The quantized kernels of oneDNN, as torch.compile and PT2E quantization run them, with what they apply afterwards."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.conv import conv_cost
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.linear import linear_cost


def binary(name: str, out: Shape) -> Cost:
    """``add`` or ``sum`` with the other operand; nothing for ``none``."""
    return Cost() if name == "none" else function_cost("add" if name == "sum" else name, out.numel)


@RULES.rule("onednn::qlinear_pointwise")
def qlinear(
    qx: Shape, x_scale: Any, x_zero_point: Any, qw: Shape, w_scale: Any, w_zero_point: Any, bias: Shape | None,
    output_scale: Any, output_zero_point: Any, output_dtype: Any, post_op_name: str, post_op_args: Any, post_op_algorithm: str, *,
    out: Shape,
) -> Cost:  # fmt: skip
    """Rows · in · out, then an activation."""
    return linear_cost(qx, out, bias) + epilogue(post_op_name, out, post_op_algorithm)


@RULES.rule("onednn::qlinear_pointwise.binary", "onednn::qlinear_pointwise.binary_tensor")
def qlinear_binary(
    qx: Shape, x_scale: Any, x_zero_point: Any, qw: Shape, w_scale: Any, w_zero_point: Any, other: Shape | None,
    bias: Shape | None, output_scale: Any, output_zero_point: Any, output_dtype: Any, other_scale: Any, other_zp: Any,
    binary_post_op: str, binary_alpha: Any, unary_post_op: str, unary_post_op_args: Any, unary_post_op_algorithm: str, *,
    out: Shape,
) -> Cost:  # fmt: skip
    """Rows · in · out, then `other` added, then an activation."""
    after = binary(binary_post_op, out) + epilogue(unary_post_op, out, unary_post_op_algorithm)
    return linear_cost(qx, out, bias) + after


@RULES.rule(
    "onednn::qconv_pointwise", "onednn::qconv1d_pointwise", "onednn::qconv2d_pointwise", "onednn::qconv3d_pointwise"
)  # fmt: skip
def qconv(
    qx: Shape, x_scale: Any, x_zero_point: Any, qw: Shape, w_scale: Any, w_zero_point: Any, bias: Shape | None, stride: Any,
    padding: Any, dilation: Any, groups: int, output_scale: Any, output_zero_point: Any, output_dtype: Any, attr: str,
    scalars: Any, algorithm: str | None, *, out: Shape,
) -> Cost:  # fmt: skip
    """A convolution, then an activation."""
    return conv_cost(qx, qw, bias, out) + epilogue(attr, out, algorithm)


@RULES.rule("onednn::qconv2d_pointwise.binary", "onednn::qconv2d_pointwise.binary_tensor")
def qconv_binary(
    qx: Shape, x_scale: Any, x_zero_point: Any, qw: Shape, w_scale: Any, w_zero_point: Any, qaccum: Shape, bias: Shape | None,
    stride: Any, padding: Any, dilation: Any, groups: int, output_scale: Any, output_zero_point: Any, output_dtype: Any,
    accum_scale: Any, accum_zero_point: Any, binary_attr: str, alpha: Any, unary_attr: str | None, unary_scalars: Any,
    unary_algorithm: str | None, *, out: Shape,
) -> Cost:  # fmt: skip
    """A convolution, then `qaccum` added, then an activation."""
    return (
        conv_cost(qx, qw, bias, out)
        + binary(binary_attr, out)
        + epilogue(unary_attr, out, unary_algorithm)
    )

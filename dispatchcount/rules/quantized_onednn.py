"""The quantized kernels of oneDNN, with what they apply to their result.

torch.compile and PT2E quantization run them.
"""

from __future__ import annotations

from dispatchcount.rules.conv import conv_cost
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.linear import linear_cost


def binary(name: str, out: Shape) -> Cost:
    """The cost of ``add`` or ``sum`` with the other operand; nothing for ``none``."""
    return Cost() if name == "none" else function_cost("add" if name == "sum" else name, out.numel)


@RULES.rule("onednn::qlinear_pointwise", factors=(0, 3))
def qlinear(
    qx: Shape, x_scale: Operand, x_zero_point: Operand, qw: Shape, w_scale: Operand,
    w_zero_point: Operand, bias: Shape | None, output_scale: Operand, output_zero_point: Operand,
    output_dtype: Operand, post_op_name: str, post_op_args: Operand, post_op_algorithm: str, *,
    out: Shape,
) -> Cost:  # fmt: skip
    """Takes rows · in · out MACs, then an activation function."""
    return linear_cost(qx, out, bias) + epilogue(post_op_name, out, post_op_algorithm)


@RULES.rule(
    "onednn::qlinear_pointwise.binary",
    "onednn::qlinear_pointwise.binary_tensor",
    factors=(0, 3),
)
def qlinear_binary(
    qx: Shape, x_scale: Operand, x_zero_point: Operand, qw: Shape, w_scale: Operand,
    w_zero_point: Operand, other: Shape | None, bias: Shape | None, output_scale: Operand,
    output_zero_point: Operand, output_dtype: Operand, other_scale: Operand, other_zp: Operand,
    binary_post_op: str, binary_alpha: Operand, unary_post_op: str, unary_post_op_args: Operand,
    unary_post_op_algorithm: str, *, out: Shape,
) -> Cost:  # fmt: skip
    """Takes rows · in · out MACs, then the addition of `other` and an activation function."""
    after = binary(binary_post_op, out) + epilogue(unary_post_op, out, unary_post_op_algorithm)
    return linear_cost(qx, out, bias) + after


@RULES.rule(
    "onednn::qconv_pointwise", "onednn::qconv1d_pointwise", "onednn::qconv2d_pointwise",
    "onednn::qconv3d_pointwise", widths=widths.of(0, 3),
)  # fmt: skip
def qconv(
    qx: Shape, x_scale: Operand, x_zero_point: Operand, qw: Shape, w_scale: Operand,
    w_zero_point: Operand, bias: Shape | None, stride: Operand, padding: Operand, dilation: Operand,
    groups: int, output_scale: Operand, output_zero_point: Operand, output_dtype: Operand,
    attr: str, scalars: Operand, algorithm: str | None, *, out: Shape,
) -> Cost:  # fmt: skip
    """Takes a convolution, then an activation function."""
    return conv_cost(qx, qw, bias, out) + epilogue(attr, out, algorithm)


@RULES.rule(
    "onednn::qconv2d_pointwise.binary",
    "onednn::qconv2d_pointwise.binary_tensor",
    widths=widths.of(0, 3),
)
def qconv_binary(
    qx: Shape, x_scale: Operand, x_zero_point: Operand, qw: Shape, w_scale: Operand,
    w_zero_point: Operand, qaccum: Shape, bias: Shape | None, stride: Operand, padding: Operand,
    dilation: Operand, groups: int, output_scale: Operand, output_zero_point: Operand,
    output_dtype: Operand, accum_scale: Operand, accum_zero_point: Operand, binary_attr: str,
    alpha: Operand, unary_attr: str | None, unary_scalars: Operand, unary_algorithm: str | None, *,
    out: Shape,
) -> Cost:  # fmt: skip
    """Takes a convolution, then the addition of `qaccum` and an activation function."""
    return (
        conv_cost(qx, qw, bias, out)
        + binary(binary_attr, out)
        + epilogue(unary_attr, out, unary_algorithm)
    )

"""Quantized linear layers and convolutions, whose weight is in a packed object.

They cost what their floating-point twins cost: a product of 8-bit integers is a MAC like any other.
Quantizing the input (in dynamic kernels) and requantizing the result are conversions and cost
nothing.

A packed object arrives as (weight, bias), both shapes, or as None if it cannot be unpacked.

The factors have 8 bits each; that is so in dynamic kernels too, which round their input to 8 bits
before they multiply. Kernels with weights of 16 bits take their input as it is.
"""

from __future__ import annotations

from dispatchcount.rules.conv import conv_cost
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.uses import evenly
from dispatchcount.rules.linear import linear_cost


def unpacked(packed: Operand) -> tuple[Shape, Shape | None]:
    """The weight and bias of a packed object.

    Raises:
        ValueError: it could not be unpacked.
    """
    if isinstance(packed, Shape):
        return packed, None
    if isinstance(packed, list | tuple) and packed and isinstance(packed[0], Shape):
        return packed[0], packed[1] if len(packed) > 1 else None
    raise ValueError(
        "the packed weight of a quantized convolution could not be read, "
        "so its kernel size is not known"
    )


def bias_of(packed: Operand) -> Shape | None:
    """The bias of a packed object; None if it has none, or could not be unpacked."""
    return (
        packed[1]
        if isinstance(packed, list | tuple) and not isinstance(packed, Shape) and len(packed) > 1
        else None
    )


_LINEAR = {
    "linear": "", "linear_dynamic": "", "linear_dynamic_fp16": "", "linear_relu": "relu",
    "linear_relu_dynamic": "relu", "linear_relu_dynamic_fp16": "relu",
    "linear_leaky_relu": "leaky_relu", "linear_tanh": "tanh",
}  # fmt: skip
"""Kernel: the activation function it applies."""


def _register_linear(name: str, after: str) -> None:
    """Register a linear layer with an activation function after it."""
    bits = widths.times(16) if name.endswith("fp16") else widths.fixed(8, 8)

    @RULES.rule(f"quantized::{name}", factors=(0, 1), widths=bits)
    def linear(X: Shape, W_prepack: Operand, *_: Operand, out: Shape) -> Cost:
        return linear_cost(X, out, bias_of(W_prepack)) + epilogue(after, out)


def _register_linear_with_scales(name: str, after: str) -> None:
    """Do the same for a kernel that is given the input's scale and zero point."""

    @RULES.rule(f"quantized::{name}", widths=widths.fixed(8, 8))
    def linear(
        X: Shape, X_scale: Operand, X_zero_point: Operand, W_prepack: Operand, *, out: Shape
    ) -> Cost:
        return linear_cost(X, out, bias_of(W_prepack)) + epilogue(after, out)


for _name, _after in _LINEAR.items():
    _register_linear(_name, _after)
_register_linear_with_scales("linear_with_input_q_dq_qweight_dq_output_fp32", "")
_register_linear_with_scales("linear_with_input_q_dq_qweight_dq_relu_output_fp32", "relu")


@RULES.rule("_quantized::linear", "_quantized::linear_dynamic", widths=widths.fixed(8, 8))
def linear_private(X: Shape, W_prepack: Operand, *_: Operand, out: Shape) -> Cost:
    """Takes rows · in · out MACs."""
    return linear_cost(X, out, bias_of(W_prepack))


@RULES.rule(
    "aten::fbgemm_linear_fp16_weight",
    "aten::fbgemm_linear_fp16_weight_fp32_activation",
    widths=widths.times(16),
)
def fbgemm_fp16(
    input: Shape, packed_weight: Operand, bias: Shape | None, *_: Operand, out: Shape
) -> Cost:
    """Takes rows · in · out MACs."""
    return linear_cost(input, out, bias)


@RULES.rule(
    "aten::fbgemm_linear_int8_weight",
    "aten::fbgemm_linear_int8_weight_fp32_activation",
    widths=widths.fixed(8, 8),
)
def fbgemm_int8(
    input: Shape,
    weight: Shape,
    packed: Operand,
    col_offsets: Operand,
    weight_scale: Operand,
    weight_zero_point: Operand,
    bias: Shape,
    *,
    out: Shape,
) -> Cost:
    """Takes rows · in · out MACs."""
    return linear_cost(input, out, bias)


@RULES.rule("aten::_wrapped_quantized_linear_prepacked", widths=widths.fixed(8, 8))
def wrapped_prepacked(input: Shape, *_: Operand, out: Shape) -> Cost:
    """Takes rows · in · out MACs, and a bias."""
    return linear_cost(input, out, True)


@RULES.rule(
    "_quantized::wrapped_quantized_linear",
    "_quantized::_wrapped_quantized_linear_prepacked",
    widths=widths.fixed(8, 8),
)
def wrapped(X: Shape, *_: Operand, out: Shape) -> Cost:
    """Takes rows · in · out MACs, and a bias."""
    return linear_cost(X, out, True)


@RULES.rule("_quantized::wrapped_fbgemm_linear_fp16_weight", widths=widths.times(16))
def wrapped_fp16(X: Shape, W: Shape, B: Shape, out_channel: int, *, out: Shape) -> Cost:
    """Takes rows · in · out MACs, and a bias."""
    return linear_cost(X, out, B)


def _register_conv(name: str, after: str, *, transposed: bool) -> None:
    """Register a convolution with an activation function after it."""
    dynamic = name.endswith("_dynamic")

    @RULES.rule(
        name, uses=evenly(1, unevenly=(0,)), widths=widths.packed(1, 8 if dynamic else None)
    )
    def conv(qx: Shape, packed_weight: Operand, *_: Operand, out: Shape) -> Cost:
        weight, bias = unpacked(packed_weight)
        return conv_cost(qx, weight, bias, out, transposed=transposed) + epilogue(after, out)


def _register_conv_add(name: str, after: str) -> None:
    """Do the same for a kernel that adds a tensor before the activation function."""

    @RULES.rule(name, uses=evenly(2, unevenly=(0,)), widths=widths.packed(2))
    def conv(qx: Shape, qaccum: Shape, packed_weight: Operand, *_: Operand, out: Shape) -> Cost:
        weight, bias = unpacked(packed_weight)
        return (
            conv_cost(qx, weight, bias, out)
            + function_cost("add", out.numel)
            + epilogue(after, out)
        )


for _d in (1, 2, 3):
    for _name in (f"quantized::conv{_d}d", f"quantized::conv{_d}d_dynamic"):
        _register_conv(_name, "", transposed=False)
    _register_conv(f"quantized::conv{_d}d_relu", "relu", transposed=False)
    for _name in (f"quantized::conv_transpose{_d}d", f"quantized::conv_transpose{_d}d_dynamic"):
        _register_conv(_name, "", transposed=True)
for _name in ("_quantized::conv2d", "_quantized::conv3d"):
    _register_conv(_name, "", transposed=False)
    _register_conv(f"{_name}_relu", "relu", transposed=False)
for _name in ("_quantized::conv_transpose1d", "_quantized::conv_transpose2d"):
    _register_conv(_name, "", transposed=True)
_register_conv_add("quantized::conv2d_add", "")
_register_conv_add("quantized::conv2d_add_relu", "relu")


@RULES.rule("mkldnn_prepacked::conv2d_run")
def prepacked_conv(X: Shape, W_prepack: Operand, *, out: Shape) -> Cost:
    """Costs `conv.conv_cost`."""
    weight, bias = unpacked(W_prepack)
    return conv_cost(X, weight, bias, out)

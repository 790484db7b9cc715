"""Conversions between floats and quantized integers, and their imitation in training."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, numel

QUANTIZE = 5
"""Divide by the scale, round, add the zero point, clamp on both sides."""

DEQUANTIZE = 2
"""Subtract the zero point, multiply by the scale."""


@RULES.move(
    "aten::int_repr",
    "aten::_make_per_tensor_quantized_tensor",
    "aten::_make_per_channel_quantized_tensor",
    "quantization::_Bfloat16QuantizedToFloat",
    "quantization::_FloatToBfloat16Quantized",
)
def rearrange(*_: Operand, **__: Operand) -> Cost:
    """Copies the stored integers, or wraps them."""
    return Cost()


@RULES.rule("aten::quantize_per_tensor", "aten::quantize_per_channel")
def quantize(self: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes `QUANTIZE` per element; `self` may be a list."""
    return Cost(arithmetic=QUANTIZE * numel((self,)))


@RULES.rule("aten::quantize_per_tensor_dynamic")
def quantize_dynamic(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes the minimum and maximum, then `QUANTIZE` per element."""
    return Cost(arithmetic=(2 + QUANTIZE) * self.numel)


@RULES.rule("aten::dequantize", "static_runtime::dequantize_copy")
def dequantize(self: Operand, *_: Operand, **__: Operand) -> Cost:
    """Takes `DEQUANTIZE` per element; `self` may be a list."""
    return Cost(arithmetic=DEQUANTIZE * numel((self,)))


@RULES.rule(
    "aten::fake_quantize_per_tensor_affine_cachemask",
    "aten::fake_quantize_per_channel_affine_cachemask",
    "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "aten::_fake_quantize_learnable_per_tensor_affine",
    "aten::_fake_quantize_learnable_per_channel_affine",
)  # fmt: skip
def fake_quantize(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Quantizes and dequantizes each element."""
    return Cost(arithmetic=(QUANTIZE + DEQUANTIZE) * self.numel)


@RULES.rule(
    "aten::_fake_quantize_learnable_per_tensor_affine_backward",
    "aten::_fake_quantize_learnable_per_channel_affine_backward",
)
def fake_quantize_backward(grad: Shape, self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Quantizes each element again and computes three gradients.

    They take 2 operations for the input, 4 for the scale and 3 for the zero point, sums included.
    """
    return Cost(arithmetic=(QUANTIZE + 9) * self.numel)


@RULES.rule(
    "aten::_fused_moving_avg_obs_fq_helper", "aten::_fused_moving_avg_obs_fq_helper_functional"
)
def observe_and_fake_quantize(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes the minimum and maximum of the input, then a fake quantization."""
    return Cost(arithmetic=2 * self.numel) + fake_quantize(self)

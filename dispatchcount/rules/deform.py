"""Deformable convolution (torchvision): samples of the input at learned places, then a convolution of the samples."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.conv import conv_cost, filters
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape

SAMPLE = 7
"""Bilinear interpolation of one value: four products, three additions. All channels share its place and weights: `PLACE`."""

PLACE = 12
"""Per kernel tap, offset group and result position: two offsets added, two floors, four distances, four products."""


def samples(input: Shape, weight: Shape, offset: Shape) -> tuple[int, int]:
    """Values sampled (batch · in · kernel · result positions) and places they are sampled at (· offset groups, not channels)."""
    kernel = weight[2] * weight[3]
    places = offset.numel // 2
    return input[0] * input[1] * kernel * offset[2] * offset[3], places


@RULES.rule("torchvision::deform_conv2d")
def deform_conv2d(
    input: Shape, weight: Shape, offset: Shape, mask: Shape, bias: Shape, stride_h: int, stride_w: int, pad_h: int, pad_w: int,
    dilation_h: int, dilation_w: int, groups: int, offset_groups: int, use_mask: bool, *, out: Shape,
) -> Cost:  # fmt: skip
    """The MACs of the convolution; as arithmetic the sampling, the modulation by `mask` and the bias (always passed)."""
    values, places = samples(input, weight, offset)
    sampling = values * (SAMPLE + bool(use_mask)) + places * PLACE
    return conv_cost(input, weight, bias, out) + Cost(arithmetic=sampling)


@RULES.rule("torchvision::_deform_conv2d_backward")
def deform_conv2d_backward(
    grad: Shape, input: Shape, weight: Shape, offset: Shape, mask: Shape, bias: Shape, stride_h: int, stride_w: int, pad_h: int,
    pad_w: int, dilation_h: int, dilation_w: int, groups: int, offset_groups: int, use_mask: bool, **_: Any,
) -> Cost:  # fmt: skip
    """Gradients of samples and weight take the forward's MACs each.

    As arithmetic per sample: formed again for the gradient of the weight (7), its gradient spread over four inputs (8), the
    slopes along x and y (7 each) scaled and summed (4); with a mask four products more, and its gradient (formed again, 2).
    The bias adds up `grad`.
    """
    values, places = samples(input, weight, offset)
    per_sample = SAMPLE + 8 + 14 + 4 + (4 + SAMPLE + 2) * bool(use_mask)
    macs = 2 * filters(input, weight, grad, transposed=False)
    return Cost(macs=macs, arithmetic=values * per_sample + places * PLACE + grad.numel)

"""Deformable convolution (torchvision).

It samples the input at learned places, and then convolves the samples.
"""

from __future__ import annotations

from dispatchcount.rules.conv import conv_cost, filters
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape

SAMPLE = 7
"""Bilinear interpolation of one value: four products, three additions."""

PLACE = 12
"""The place of a sample and its weights, which all channels share.

It takes two offsets added, two floors, four distances and four products. There is a place for each
kernel tap, offset group and result position.
"""


def samples(input: Shape, weight: Shape, offset: Shape) -> tuple[int, int]:
    """The number of values sampled, and of the places that they are sampled at.

    Values are batch · in · kernel · result positions. Places have offset groups where values have
    input channels.
    """
    kernel = weight[2] * weight[3]
    places = offset.numel // 2
    return input[0] * input[1] * kernel * offset[2] * offset[3], places


@RULES.rule("torchvision::deform_conv2d")
def deform_conv2d(
    input: Shape, weight: Shape, offset: Shape, mask: Shape, bias: Shape, stride_h: int,
    stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int, groups: int,
    offset_groups: int, use_mask: bool, *, out: Shape,
) -> Cost:  # fmt: skip
    """Takes the MACs of the convolution.

    Arithmetic is the sampling, the modulation by `mask`, and the bias, which is always passed.
    """
    values, places = samples(input, weight, offset)
    sampling = values * (SAMPLE + bool(use_mask)) + places * PLACE
    return conv_cost(input, weight, bias, out) + Cost(arithmetic=sampling)


@RULES.rule("torchvision::_deform_conv2d_backward")
def deform_conv2d_backward(
    grad: Shape, input: Shape, weight: Shape, offset: Shape, mask: Shape, bias: Shape,
    stride_h: int, stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int,
    groups: int, offset_groups: int, use_mask: bool, **_: Operand,
) -> Cost:  # fmt: skip
    """Takes the forward's MACs for the gradients of samples and weight each.

    Arithmetic per sample: forming it again for the gradient of the weight (7), spreading its
    gradient over four inputs (8), the slopes along x and y (7 each), and scaling and summing them
    (4). A mask takes four products more, and its own gradient the sample once again and 2. The bias
    adds up `grad`.
    """
    values, places = samples(input, weight, offset)
    per_sample = SAMPLE + 8 + 14 + 4 + (4 + SAMPLE + 2) * bool(use_mask)
    macs = 2 * filters(input, weight, grad, transposed=False)
    return Cost(macs=macs, arithmetic=values * per_sample + places * PLACE + grad.numel)

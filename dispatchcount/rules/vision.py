"""torchvision's operators: regions of interest, non-maximum suppression, rotated boxes, images."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, shapes

BILINEAR = 9
"""Operations of the weighted mean of four neighbours.

It is three times two products and a sum. All channels share the weights, which are not counted.
"""

IOU = 13
"""Operations that compare two boxes, as torchvision's kernel for `nms` writes them.

They are 4 minima and maxima, 2 sides, 2 clamps, a product, the union (2), a division and a
comparison.
"""


def _sample_points(
    sampling_ratio: int, input: Shape, pooled_height: int, pooled_width: int
) -> tuple[int, bool]:
    """Points per bin, and True if their number is exact.

    A ratio of 0 or less means one point per pixel of the region. Its size is data, so the whole
    picture is taken, as an estimate.
    """
    if sampling_ratio > 0:
        return sampling_ratio**2, True
    return -(-input[-2] // max(pooled_height, 1)) * -(-input[-1] // max(pooled_width, 1)), False


@RULES.rule("torchvision::roi_align")
def roi_align(
    input: Shape,
    rois: Shape,
    scale: Operand,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    *_: Operand,
    out: Shape,
    **__: Operand,
) -> Cost:
    """Takes `sampling_ratio` squared bilinear samples per bin and channel.

    Each is added, and a bin takes a division.
    """
    points, exact = _sample_points(sampling_ratio, input, pooled_height, pooled_width)
    return Cost(arithmetic=out.numel * (points * (BILINEAR + 1) + 1), estimate=not exact)


@RULES.rule("torchvision::qroi_align")
def qroi_align(
    input: Shape, rois: Shape, input_scale: Operand, input_zero: Operand, rois_scale: Operand,
    rois_zero: Operand, scale: Operand, pooled_height: int, pooled_width: int, sampling_ratio: int,
    *_: Operand, out: Shape, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs what `roi_align` does, on quantized tensors."""
    return roi_align(input, rois, scale, pooled_height, pooled_width, sampling_ratio, out=out)


@RULES.rule("torchvision::ps_roi_align")
def ps_roi_align(
    input: Shape,
    rois: Shape,
    scale: Operand,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    *,
    out: Operand,
    **_: Operand,
) -> Cost:
    """Costs what `roi_align` does; each bin has channels of its own."""
    return roi_align(
        input, rois, scale, pooled_height, pooled_width, sampling_ratio, out=shapes(out)[0]
    )


@RULES.rule("torchvision::roi_pool", "torchvision::ps_roi_pool")
def roi_pool(
    input: Shape,
    rois: Shape,
    scale: Operand,
    pooled_height: int,
    pooled_width: int,
    *,
    out: Operand,
    **_: Operand,
) -> Cost:
    """Takes one operation per pixel of the region.

    It is an estimate: a region may be smaller than the picture, which is taken whole.
    """
    pixels = -(-input[-2] // max(pooled_height, 1)) * -(-input[-1] // max(pooled_width, 1))
    return Cost(arithmetic=pixels * shapes(out)[0].numel, estimate=True)


@RULES.rule(
    "torchvision::_roi_align_backward", "torchvision::_ps_roi_align_backward",
    "torchvision::_roi_pool_backward", "torchvision::_ps_roi_pool_backward",
)  # fmt: skip
def roi_backward(grad: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a product and a sum for each of four neighbours of every gradient.

    It is an estimate, because the number of samples per bin is not known here.
    """
    return Cost(arithmetic=8 * grad.numel, estimate=True)


@RULES.rule("torchvision::nms", "torchvision::qnms")
def nms(boxes: Shape, *_: Operand, **__: Operand) -> Cost:
    """Compares every pair of boxes once.

    It is an estimate, because a suppressed box is not compared again.
    """
    n = boxes[0]
    return Cost(arithmetic=IOU * n * (n - 1) // 2, estimate=True)


@RULES.rule("torchvision::box_iou_rotated")
def box_iou_rotated(boxes1: Shape, boxes2: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes about 500 operations per pair of boxes.

    They are 16 edge intersections, 8 corner tests and the area of a hull of at most 24 points.
    """
    pairs = boxes1[0] * boxes2[0]
    return Cost(arithmetic=500 * pairs, transcendentals=4 * pairs, estimate=True)


RULES.free(
    "torchvision::_cuda_version",
    "image::_is_compiled_against_turbo",
    "image::_jpeg_version",
    family="vision",
)
_CODECS = words("""
    decode_gif decode_image decode_jpeg decode_jpegs_cuda decode_png decode_webp encode_jpeg
    encode_jpegs_cuda encode_png read_file write_file
""")
_FILE = (
    "reads, writes or decodes an image file: "
    "the work depends on the file's contents, not on a shape"
)
RULES.unknown({f"image::{name}": _FILE for name in _CODECS})

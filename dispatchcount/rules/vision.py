"""torchvision's operators: regions of interest, non-maximum suppression, rotated boxes, and image files."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, shapes

BILINEAR = 9
"""The weighted mean of four neighbours: three of two products and a sum; the weights are shared by all channels."""

IOU = 13
"""Of two boxes: 4 minima and maxima, 2 sides, 2 clamps, 2 products, the union (2) and a division; 1 comparison."""


def _samples(
    sampling_ratio: int, input: Shape, pooled_height: int, pooled_width: int
) -> tuple[int, bool]:
    """Points per bin, and whether that is exact: 0 or less means one a pixel of the region, which is data (taken whole)."""
    if sampling_ratio > 0:
        return sampling_ratio**2, True
    return -(-input[-2] // max(pooled_height, 1)) * -(-input[-1] // max(pooled_width, 1)), False


@RULES.rule("torchvision::roi_align")
def roi_align(
    input: Shape,
    rois: Shape,
    scale: Any,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    *_: Any,
    out: Shape,
    **__: Any,
) -> Cost:
    """Per bin and channel `sampling_ratio` squared bilinear samples, their sum and a division."""
    points, exact = _samples(sampling_ratio, input, pooled_height, pooled_width)
    return Cost(arithmetic=out.numel * (points * (BILINEAR + 1) + 1), estimate=not exact)


@RULES.rule("torchvision::qroi_align")
def qroi_align(
    input: Shape, rois: Shape, input_scale: Any, input_zero: Any, rois_scale: Any, rois_zero: Any, scale: Any,
    pooled_height: int, pooled_width: int, sampling_ratio: int, *_: Any, out: Shape, **__: Any,
) -> Cost:  # fmt: skip
    """As `roi_align`, on quantised tensors."""
    return roi_align(input, rois, scale, pooled_height, pooled_width, sampling_ratio, out=out)


@RULES.rule("torchvision::ps_roi_align")
def ps_roi_align(
    input: Shape,
    rois: Shape,
    scale: Any,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    *,
    out: Any,
    **_: Any,
) -> Cost:
    """As `roi_align`; each bin has channels of its own."""
    return roi_align(
        input, rois, scale, pooled_height, pooled_width, sampling_ratio, out=shapes(out)[0]
    )


@RULES.rule("torchvision::roi_pool", "torchvision::ps_roi_pool")
def roi_pool(
    input: Shape,
    rois: Shape,
    scale: Any,
    pooled_height: int,
    pooled_width: int,
    *,
    out: Any,
    **_: Any,
) -> Cost:
    """One operation per pixel of the region. An estimate: a region may be smaller than the picture, which is taken whole."""
    pixels = -(-input[-2] // max(pooled_height, 1)) * -(-input[-1] // max(pooled_width, 1))
    return Cost(arithmetic=pixels * shapes(out)[0].numel, estimate=True)


@RULES.rule(
    "torchvision::_roi_align_backward", "torchvision::_ps_roi_align_backward", "torchvision::_roi_pool_backward",
    "torchvision::_ps_roi_pool_backward",
)  # fmt: skip
def roi_backward(grad: Shape, *_: Any, **__: Any) -> Cost:
    """A product and a sum for each of four neighbours of every gradient. An estimate: the samples per bin are not known here."""
    return Cost(arithmetic=8 * grad.numel, estimate=True)


@RULES.rule("torchvision::nms", "torchvision::qnms")
def nms(boxes: Shape, *_: Any, **__: Any) -> Cost:
    """Every pair once: an estimate, for a suppressed box is not compared again."""
    n = boxes[0]
    return Cost(arithmetic=IOU * n * (n - 1) // 2, estimate=True)


@RULES.rule("torchvision::box_iou_rotated")
def box_iou_rotated(boxes1: Shape, boxes2: Shape, *_: Any, **__: Any) -> Cost:
    """Per pair 16 edge intersections, 8 corner tests and the area of a hull of at most 24 points: about 500 operations."""
    pairs = boxes1[0] * boxes2[0]
    return Cost(arithmetic=500 * pairs, transcendentals=4 * pairs, estimate=True)


RULES.free(
    "torchvision::_cuda_version",
    "image::_is_compiled_against_turbo",
    "image::_jpeg_version",
    family="vision",
)
_CODECS = words("""
    decode_gif decode_image decode_jpeg decode_jpegs_cuda decode_png decode_webp encode_jpeg encode_jpegs_cuda encode_png
    read_file write_file
""")
RULES.unknown(
    {
        f"image::{name}": "reads, writes or decodes an image file: the work depends on the file's contents, not on a shape"
        for name in _CODECS
    }
)

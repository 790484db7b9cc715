"""A two-stage detector, whose cost depends on the image.

The second stage runs once for each region that the first one proposes.
"""

from __future__ import annotations

import rich
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN, fasterrcnn_mobilenet_v3_large_320_fpn

import dispatchcount as dc


def small_detector() -> FasterRCNN:
    """Random weights. A bigger image gets more proposals that do not overlap by much."""
    return fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=5,
        min_size=64,
        max_size=256,
        rpn_nms_thresh=0.3,
    ).eval()


def images() -> list[Tensor]:
    return [torch.rand(3, 64, width) for width in (64, 96, 160, 224)]


def main() -> dc.Report:
    torch.manual_seed(0)
    model = small_detector()
    with dc.profile(model) as prof, torch.no_grad():
        for image in prof.samples(
            images(), label=lambda i, image: f"{image.shape[1]}×{image.shape[2]}"
        ):
            model([image])

    report = prof.report
    rich.print(report.table(depth=2))
    rich.print(report.side_by_side(depth=1))
    for shape, row in report.by_call("roi_heads.box_head").items():
        print(f"proposals × channels × 7 × 7 = {shape}: {row.calls} calls, {row.flops:,} flops")
    return report


if __name__ == "__main__":
    main()

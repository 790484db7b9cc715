"""An early-exit classifier: easy images leave after the first stage, hard ones go all the way.

What does it cost on average, and how often does each stage run?
"""

from __future__ import annotations

from itertools import pairwise

import rich
import torch
from torch import Tensor, nn

import dispatchcount as dc


class EarlyExit(nn.Module):
    """Three stages with a classifier after each; the first that is sure enough answers."""

    def __init__(self, sure: tuple[float, float, float]) -> None:
        super().__init__()
        widths = [3, 16, 32, 64]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU())
            for a, b in pairwise(widths)
        )
        self.exits = nn.ModuleList(nn.Linear(width, 10) for width in widths[1:])
        self.sure = sure

    def forward(self, image: Tensor) -> tuple[Tensor, int]:
        x = image
        for number, stage in enumerate(self.stages):
            x = stage(x)
            answer = self.exits[number](x.mean((2, 3))).softmax(-1)
            if answer.max() >= self.sure[number]:
                return answer, number
        raise AssertionError("the last exit always answers")


def main() -> tuple[dc.Report, list[int]]:
    torch.manual_seed(0)
    model = EarlyExit(sure=(0.5, 0.14, 0.0)).eval()
    images = [scale * torch.randn(1, 3, 32, 32) for scale in torch.logspace(-1, 2.5, 50)]
    left_at = []
    with dc.profile(model) as prof, torch.no_grad():
        for image in prof.samples(images, label=lambda i, _: f"image {i}"):
            _, stage = model(image)
            left_at.append(stage)

    report = prof.report
    rich.print(report.histogram(bins=8))
    rich.print(report.samples_table(top=3, depth=2))
    spread = report.distribution()
    print(f"expected cost of an image: {spread.mean:,.0f} flops; the dearest takes {spread.max:,}")
    return report, left_at


if __name__ == "__main__":
    main()

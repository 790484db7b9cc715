"""A tree-recursive net: a module that calls itself for each branch of a sentence's tree.

Forward and backward are counted.
"""

from __future__ import annotations

from typing import Any

import rich
import torch
from torch import Tensor, nn

import dispatchcount as dc

WIDTH = 16

TREES: dict[str, Any] = {
    "a word": 3,
    "a pair": (1, 2),
    "balanced": (((1, 2), (3, 4)), ((5, 6), (7, 8))),
    "leaning": (((((((1, 2), 3), 4), 5), 6), 7), 8),
}


class TreeNet(nn.Module):
    """A tree is a word, which is embedded, or a pair of trees, which a layer merges."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, WIDTH)
        self.merge = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, tree: Any) -> Tensor:
        if isinstance(tree, int):
            return self.embed(torch.tensor([tree]))
        left, right = tree
        return self.merge(torch.cat([self(left), self(right)], -1)).tanh()


def depth(report: dc.Report) -> int:
    """How many calls of the root were inside one another."""
    depths = [0]
    for path in report.paths[1:]:
        depths.append(depths[path.parent] + (report.modules[path.module].name == ""))
    return max(depths)


def main() -> dc.Report:
    torch.manual_seed(0)
    model = TreeNet()
    with dc.profile(model) as prof:
        for tree in prof.samples(TREES.values(), label=lambda i, _: list(TREES)[i]):
            model(tree).square().sum().backward()

    report = prof.report
    rich.print(report.side_by_side())
    for phase, row in report.by_phase().items():
        print(
            f"{phase}: {row.macs:,} MACs, of them in merge {report.by_phase('merge')[phase].macs:,}"
        )
    print(f"deepest recursion: {depth(report)} calls")
    return report


if __name__ == "__main__":
    main()

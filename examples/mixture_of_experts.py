"""A mixture of experts, in which every token goes to two of eight. How even is the work?"""

from __future__ import annotations

import rich
import torch
from rich.table import Table
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.report.expert_load import expert_load

WIDTH, HIDDEN, EXPERTS, CHOSEN = 32, 64, 8, 2


class MixtureOfExperts(nn.Module):
    """A router, and experts of two layers each."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))
            for _ in range(EXPERTS)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        weights, choice = self.router(tokens).softmax(-1).topk(CHOSEN, dim=-1)
        out = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows, place = (choice == number).nonzero(as_tuple=True)
            if len(rows):
                out.index_add_(0, rows, expert(tokens[rows]) * weights[rows, place, None])
        return out


def main() -> dc.Report:
    torch.manual_seed(0)
    model = MixtureOfExperts()
    taste = torch.randn(WIDTH)  # Sentences are alike, so the router favours some experts.
    with dc.profile(model) as prof, torch.no_grad():
        for length in prof.samples(
            [5, 9, 3, 16, 7, 12, 4, 8], label=lambda i, n: f"sentence {i}, {n} tokens"
        ):
            model(torch.randn(length, WIDTH) + taste)

    report = prof.report
    rich.print(report.samples_table(top=4, depth=2))
    load = expert_load(report, "experts")
    table = Table(
        "expert",
        "tokens",
        "MACs",
        "share",
        box=None,
        pad_edge=False,
        title=f"imbalance {load.imbalance:.2f} (busiest over mean)",
    )
    for expert in load.experts:
        table.add_row(expert.name, str(expert.tokens), f"{expert.macs:,}", f"{expert.share:.1%}")
    rich.print(table)
    return report


if __name__ == "__main__":
    main()

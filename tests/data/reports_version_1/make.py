"""Wrote the reports beside it, once: they are files of users, and must load as they are for ever.

They were written by 0.1.0 before its format was described in one place (commit 635b47d), and
`before_fused.json` by commit 7aa41d6, whose modules did not have the field `fused` yet. Do not
write them again. When the format gets another version, add a folder for it.
"""

from pathlib import Path

import torch
from torch import nn

import dispatchcount as dc

OUT = Path(__file__).parent
torch.manual_seed(0)


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


class Router(nn.Module):
    """Takes `deep` as often as the input says."""

    def __init__(self):
        super().__init__()
        self.stem, self.deep, self.never = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x, times):
        x = self.stem(x)
        for _ in range(times):
            x = self.deep(x)
        return x


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
        self.again = self.head
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.again(self.embed(x))


@torch.library.custom_op("odd::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@torch.library.custom_op("odd::thrice", mutates_args=())
def thrice(x: torch.Tensor) -> torch.Tensor:
    return x * 3


class Odd(nn.Module):
    def forward(self, x):
        return torch.ops.odd.thrice(torch.ops.odd.twice(x)) + torch.linalg.svdvals(x).sum()


def thrice_rule(x, *, out):
    raise ValueError("this rule fails")


def save(name, report):
    report.to_json(OUT / f"{name}.json")


model = cnn()
with dc.profile(model) as prof:
    model(torch.ones(2, 3, 8, 8))
save("cnn", prof.report.with_labels(model="cnn", commit="1f3a"))

model = cnn().train()
opt = torch.optim.AdamW(model.parameters())
with dc.profile(model, memory=True, time=True) as prof:
    model(torch.ones(2, 3, 8, 8)).sum().backward()
    opt.step()
save("training", prof.report)

model = Router()
with dc.profile(model) as prof:
    for i, times in enumerate((0, 1, 1, 3)):
        with prof.sample(f"input-{i}"):
            model(torch.ones(1, 4), times)
save("samples", prof.report.with_convention("torch"))

model = Odd()
try:
    with dc.profile(model, rules={torch.ops.odd.thrice: thrice_rule}, convention="full") as prof:
        model(torch.ones(4, 4))
        raise RuntimeError("caf\udce9")
except RuntimeError:
    pass
save("troubled", prof.report)

model = Tied()
ranks = []
for rank in range(2):
    with dc.profile(model, convention="macs") as prof:
        model(torch.arange(3 + rank).unsqueeze(0))
    ranks.append(prof.report)
save("merged", dc.Report.merge(ranks))

with dc.profile() as prof:
    a = torch.empty(2**30, 2**28, device="meta")
    a @ a.mT
save("beyond_64_bits", prof.report)

"""Nets and sums that several test files use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.report.metrics import KEYS

LAYER = 2 * 4 * 4
"""MACs of Linear(4, 4) on a batch of two."""

LEVELS = 150 if (3, 12) <= sys.version_info < (3, 13) else 1_000
"""How deep deep models are. Python 3.12 has a limit of its own for calls that pass through C, which
no setting moves: without a profile too, 213 Sequentials in each other raise RecursionError there.
"""


class Net(nn.Module):
    """Modules by name and a function that uses them."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, *args, **kwargs)


def x(rows: int = 2, width: int = 4) -> Tensor:
    return torch.ones(rows, width)


def square() -> nn.Linear:
    return nn.Linear(4, 4)


def profiled(run: Callable[[], Any], *models: Any, **options: Any) -> dc.Report:
    with dc.profile(*models, **options) as prof:
        run()
    prof.report.self_check()
    return prof.report


def macs(report: dc.Report, ancestors: str = "owner") -> dict[str, int]:
    """Each module's MACs, with work outside of modules where there is any."""
    return {
        name: row.macs
        for name, row in report.by_module(ancestors).items()
        if row.macs or name != "(no module)"
    }


def own_macs(report: dc.Report, phase: str | None = None) -> dict[str, int]:
    """Each module's own MACs, those of one phase if given, zeros left out."""
    found: dict[str, int] = {}
    for entry in report.entries:
        if entry.cost.macs and phase in (None, entry.phase):
            name = report.modules[report.paths[entry.path].module].name
            found[name] = found.get(name, 0) + entry.cost.macs
    return found


def phases(report: dc.Report) -> dict[str, int]:
    """MACs by phase, zeros left out; checks on the way that the phases of every module and of the whole add up."""
    report.self_check()
    for metric in set(KEYS) - {"params"}:
        assert sum(getattr(row, metric) for row in report.by_phase().values()) == getattr(
            report.total, metric
        )
    for name, row in report.by_module().items():
        assert sum(part.macs for part in report.by_phase(name).values()) == row.macs
    assert not report.unknown_ops
    assert not report.failed_ops
    return {name: row.macs for name, row in report.by_phase().items() if row.macs}


class Boom(Exception):
    pass


class Everything(nn.Module):
    """A bit of everything that keeps state, draws numbers or chooses its kernels by what is hooked."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 3, padding=1)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.head = nn.utils.parametrizations.weight_norm(nn.Linear(8, 3))
        self.fail: Callable[[], None] = lambda: None

    def forward(self, y: Tensor) -> Tensor:
        y = self.drop(self.norm(self.conv(y)).relu()).transpose(1, 2)
        y, _ = self.lstm(self.encoder(y))
        self.fail()
        return self.head(y)


def everything(training: bool = True) -> Everything:
    torch.manual_seed(0)
    return Everything().train(training)


def batch() -> Tensor:
    return torch.linspace(-1, 1, 2 * 4 * 6).view(2, 4, 6)

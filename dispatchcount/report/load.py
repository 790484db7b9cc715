"""How evenly a router spreads its work over the modules it chooses from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from dispatchcount.report import views

if TYPE_CHECKING:
    from dispatchcount.report.model import Report


@dataclass(frozen=True, slots=True)
class ExpertLoad:
    """What one expert got.

    Attributes:
        name: the expert's full name.
        calls: how often it was called.
        tokens: rows of its first input over all calls (every size but the last multiplied). None where they are not known: a
            call without a tensor, or one of a run so varied that its shapes were no longer told apart.
        macs, flops: its total.
        share: its part of all experts' flops, 0 to 1; 0 where none did any.
    """

    name: str
    calls: int
    tokens: int | None
    macs: int
    flops: int
    share: float


@dataclass(frozen=True, slots=True)
class Load:
    """The experts in order, and how uneven their load is.

    Attributes:
        experts: one row each, those never called included.
        imbalance: the busiest expert's flops over the mean: 1 is even, the number of experts is all on one; 0 without flops.
    """

    experts: tuple[ExpertLoad, ...]
    imbalance: float


def expert_load(report: Report, name: str) -> Load:
    """The load of the modules that `name` (a ModuleList, usually) holds.

    Raises:
        KeyError: no module goes by that name. ValueError: it holds no module.
    """
    index = report.module_index(name)
    stats = report.by_module()
    rows = {module.name: stats[module.name] for module in report.modules if module.parent == index}
    if not rows:
        raise ValueError(f"{name!r} holds no modules; give the module that holds the experts")
    whole = sum(row.flops for row in rows.values())
    experts = tuple(
        ExpertLoad(expert, row.calls, _tokens(report, expert), row.macs, row.flops, row.flops / whole if whole else 0.0)
        for expert, row in rows.items()
    )
    busiest = max(expert.flops for expert in experts)
    return Load(experts, busiest * len(experts) / whole if whole else 0.0)


def _tokens(report: Report, name: str) -> int | None:
    tokens = 0
    for signature, row in views.by_call(report, name).items():
        sizes = re.search(r"\((\d+(?:, \d+)*)\)", signature)
        if sizes is None:
            return None
        tokens += row.calls * prod(int(size) for size in sizes[1].split(", ")[:-1])
    return tokens

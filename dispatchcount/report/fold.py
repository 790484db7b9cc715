"""Equal siblings told as one: 32 layers that are alike in everything are one row of a tree.

`Folding` is data for every renderer: tables, trees, Markdown, samples, pages and the tables of laws
walk its rows and so agree on what is folded, under which name, and what it adds up to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from dispatchcount.report.alike import local_name
from dispatchcount.report.coverage import gaps
from dispatchcount.report.metrics import METRICS, Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import Module
from dispatchcount.report.tree import Named, children

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_MOST_RANGES = 3
"""Ranges of numbers that a label names one by one."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A row of a folded tree: a module, or all the equal modules that it stands for.

    Attributes:
        members: indices in `Report.modules` of those it stands for, in order. They are more than
            `times` where a row above is folded too.
        times: how many siblings it folds; 1 if it is not folded itself.
        label: its name below the row above, ``"conv1"``, ``"0–31"``, ``"layers.0–31"``.
        name: the full name of its first member.
        above: the row that it stands below; None for a top row.
        whole: True if `label` is a full name, because the name of the row above is no part of it.
    """

    members: tuple[int, ...]
    times: int
    label: str
    name: str
    above: Fold | None = None
    whole: bool = False

    @property
    def first(self) -> int:
        """Index of the first module that it stands for."""
        return self.members[0]

    @property
    def path(self) -> str:
        """Its full name, with the ranges of the rows above: ``"model.layers.0–31.mlp"``."""
        # A row that stands for one module has that module's name. Others take the labels of the
        # rows above them up to such a row. This is a loop, because rows nest deeper than calls may.
        labels: list[str] = []
        row: Fold | None = self
        while row is not None and len(row.members) > 1:
            labels.append(row.label)
            row = None if row.whole else row.above
        if row is not None and row.name:
            labels.append(row.name)
        return ".".join(reversed(labels))

    @property
    def title(self) -> str:
        """Its label, and how many siblings it folds: ``"layers.0–31 ×32"``."""
        return f"{self.label} ×{self.times:,}" if self.times > 1 else self.label


class Folding:
    """A tree of modules with equal siblings folded.

    Equal siblings are one row if their names differ in a number at the end alone: ``gate_proj`` and
    ``up_proj`` stay apart, for they are not the same part of a model. Equal modules that hold
    others fold wherever they stand below their parent. Those that hold none fold side by side
    alone, so that what runs in order reads in order.

    A container that does nothing itself, and below which all is one folded row, is part of that
    row: ``layers.0–31``.

    Args:
        modules: the modules, each after its parent.
        below: the indices of those right below each module, as `tree.children` gives them.
        alike: for each module a number that equal ones share; None gives every module a row of its
            own.
        idle: for each module True if it is a container that does nothing itself.
    """

    def __init__(
        self,
        modules: Sequence[Named],
        below: Mapping[int, Sequence[int]],
        alike: Sequence[int] | None,
        idle: Sequence[bool] = (),
    ) -> None:
        self._modules = modules
        self._below = below
        self._fold = alike is not None
        self._alike = alike or ()
        self._idle = idle

    def below(self, above: Fold | None = None) -> list[Fold]:
        """The rows right below a row, in the model's order; the top rows without one."""
        if above is None:
            return [
                Fold((index,), 1, self._modules[index].name, self._modules[index].name, None, True)
                for index in self._below.get(-1, ())
            ]
        # Members of a row are equal, so that what folds below the first folds below all.
        places = [self._below.get(member, ()) for member in above.members]
        rows = []
        for group in self._groups(above.first):
            members = tuple(below[place] for below in places for place in group)
            rows.append(self._merged(self._row(members, len(group), above)))
        return rows

    def _row(self, members: tuple[int, ...], times: int, above: Fold) -> Fold:
        text, whole = local_name(self._modules, members[0])
        if times > 1:
            text = ranged([local_name(self._modules, index)[0] for index in members[:times]])
        return Fold(members, times, text, self._modules[members[0]].name, above, whole)

    def _merged(self, row: Fold) -> Fold:
        """The row, or the one folded row below it if it is a container of nothing else."""
        if not self._fold or row.times > 1 or not self._idle[row.first]:
            return row
        groups = self._groups(row.first)
        if len(groups) != 1 or len(groups[0]) < 2:
            return row
        [inner] = self.below(row)
        return replace(inner, label=f"{row.label}.{inner.label}", above=row.above, whole=row.whole)

    def _groups(self, parent: int) -> list[list[int]]:
        """The places of a module's children, those of equal ones together."""
        below = self._below.get(parent, ())
        if not self._fold:
            return [[place] for place in range(len(below))]
        groups: list[list[int]] = []
        found: dict[tuple[int, str], list[int]] = {}
        for place, index in enumerate(below):
            stem = numbered(local_name(self._modules, index)[0])
            key = (self._alike[index], stem or "")
            group = None if stem is None else found.get(key)
            if group is not None and (index in self._below or group[-1] == place - 1):
                group.append(place)
                continue
            groups.append([place])
            if stem is not None:
                found[key] = groups[-1]
        return groups


def folding(report: ReportData, fold: bool = True) -> Folding:
    """The module tree of a report with equal siblings folded.

    Modules are equal if they and all modules below them have the same types, parameter shapes and
    figures (time is left out, for no two runs share it), and the same figures in every sample. A
    module that has several names is equal to no other.

    Args:
        report: the report.
        fold: False gives every module a row of its own.
    """
    shown = report.by_module()
    below = children(report.modules, lambda index: report.modules[index].name in shown)
    if not fold:
        return Folding(report.modules, below, None)
    return Folding(report.modules, below, report.alike, _idle(report, shown))


def together(rows: Iterable[Stats]) -> Stats:
    """The figures of equal modules added up, `self_` as well.

    All rows are equal in everything but what a clock measured, so that the first tells the others.
    """
    first, *others = rows
    if not others:
        return first
    own = None
    if first.self_ is not None:
        own = together(row.self_ for row in (first, *others) if row.self_ is not None)
    figures: dict[str, Any] = {
        metric.key: sum(metric.value(row) for row in (first, *others))
        if metric.measured
        else metric.value(first) * (1 + len(others))
        for metric in METRICS
    }
    return replace(first, **figures, self_=own)


def _idle(report: ReportData, stats: dict[str, Stats]) -> list[bool]:
    """For each module by index: True if it only holds others, and no more can be said of it."""
    gap = gaps(report)
    held = {row.module for row in report.memory.modules} if report.memory else set()
    figures = attrgetter(*(metric.key for metric in METRICS if metric.key != "calls"))

    def idle(index: int, module: Module) -> bool:
        own = stats[module.name].self_ if module.name in stats else None
        return (
            module.container
            and not (module.parameters or module.aliases or gap[index] or index in held)
            and own is not None
            and not any(figures(own))
        )

    return [idle(index, module) for index, module in enumerate(report.modules)]


def numbered(name: str) -> str | None:
    """The part of a name before the number at its end; None where there is no number."""
    match = _NUMBERED.fullmatch(name)
    return match[1] if match else None


def ranged(names: list[str]) -> str:
    """Names that differ in a number as one: ``"0–31"``, ``"block1–2, 5"``, ``"0, 2, … 30"``."""
    matches = [_NUMBERED.fullmatch(name) for name in names]
    prefix = matches[0][1] if matches[0] else ""
    numbers = [int(match[2]) for match in matches if match]
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = [f"{a}" if a == b else f"{a}–{b}" for a, b in ranges]
    if len(texts) > _MOST_RANGES:
        texts = [*texts[:2], f"… {texts[-1]}"]
    return prefix + ", ".join(texts)

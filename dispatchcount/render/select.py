"""Which modules a table or a tree shows, in which order, and how many it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dispatchcount.report.model import Report
from dispatchcount.report.rows import COUNTED, ZERO, Module, Stats

ROOT = "(root)"


@dataclass(frozen=True, slots=True)
class Row:
    """A module as a line of a table.

    Attributes:
        module: the module itself.
        label: the part of its name that its parent's does not say, ``"conv1"`` below ``"layer1.0"``.
        stats: its figures.
        level: how many rows stand above it in the tree, 0 for a top row.
        ran: whether it or a module below it ran at all; if not, it has no figures but its parameters.
        gap, own_gap: whether an operator that could not be counted ran in it or below it, or in it alone.
        total: the whole report's figures, for shares.
    """

    module: Module
    label: str
    stats: Stats
    level: int
    ran: bool
    gap: bool
    own_gap: bool
    total: Stats

    @property
    def share(self) -> float | None:
        """Its part of all flops, None where there are none."""
        return self.stats.flops / self.total.flops if self.ran and self.total.flops else None


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows to show, a module before those below it, and how many others there are.

    Attributes:
        rows: those to show.
        deeper: modules below the depth asked for.
        smaller: modules, not below the depth, with less than the share asked for.
        depth, min_share: what was asked for.
    """

    rows: tuple[Row, ...]
    deeper: int
    smaller: int
    depth: int | None
    min_share: float


def select(
    report: Report,
    depth: int | None = None,
    min_share: float = 0.0,
    key: Callable[[Row], tuple[object, ...]] | None = None,
) -> Selection:
    """The top rows, and the modules down to `depth` levels below them that have at least `min_share` of all flops.

    Args:
        report: the report.
        depth: 0 for the top rows alone, None for all.
        min_share: 0 to 1.
        key: orders the modules below one parent; by default they stay in the model's order.

    Raises:
        ValueError: `depth` is negative or `min_share` is not within 0 and 1.
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth={depth} is negative; give a number of levels from 0 up, or None for all")
    if not 0 <= min_share <= 1:
        raise ValueError(f"min_share={min_share} is not a share; give a number from 0 to 1, 0.01 for 1 %")
    stats, ran, own_gap = report.by_module(), _ran(report), _gaps(report)
    gap = _upward(report, own_gap)
    below: dict[int, list[int]] = {}
    for index, module in enumerate(report.modules):
        if module.name in stats:
            below.setdefault(module.parent, []).append(index)
    rows: list[Row] = []
    deeper = smaller = 0
    # the work outside every module, row 0, comes last
    stack = [(index, 0) for index in sorted(below.get(-1, []), key=lambda index: index == 0)]
    stack.reverse()
    while stack:
        index, level = stack.pop()
        module = report.modules[index]
        row = Row(module, label(report, index), stats[module.name], level, ran[index], gap[index], own_gap[index], report.total)
        children = below.get(index, [])
        if depth is not None and level > depth:
            deeper += 1
        elif level and (row.share or 0) < min_share:
            smaller += 1
        else:
            rows.append(row)
        stack += [(child, level + 1) for child in reversed(children)]
    return Selection(_ordered(rows, key), deeper, smaller, depth, min_share)


def label(report: Report, index: int) -> str:
    """The part of a module's name that its parent's does not say, the whole name where that is no part of it."""
    module = report.modules[index]
    above = report.modules[module.parent].name if module.parent >= 0 else ""
    return (module.name.removeprefix(f"{above}.") if above else module.name) or ROOT


def _ordered(rows: list[Row], key: Callable[[Row], tuple[object, ...]] | None) -> tuple[Row, ...]:
    """The rows with those below one parent sorted by `key`, each still followed by those below it."""
    if key is None:
        return tuple(rows)
    path: list[tuple[object, ...]] = []
    keyed = []
    for position, row in enumerate(rows):
        del path[row.level :]
        path.append((*key(row), position))
        keyed.append((tuple(path), row))
    return tuple(row for _, row in sorted(keyed, key=lambda pair: pair[0]))


def _ran(report: Report) -> list[bool]:
    """For each module by index: whether it was called, or an operator ran in it, or that holds of one below it."""
    ran = [False] * len(report.modules)
    for path in report.paths:
        ran[path.module] |= path.calls > 0
    for entry in report.entries:
        ran[report.paths[entry.path].module] = True
    return _upward(report, ran)


def _gaps(report: Report) -> list[bool]:
    """For each module by index: whether an operator that could not be counted ran in it."""
    gaps = [False] * len(report.modules)
    for entry in report.entries:
        gaps[report.paths[entry.path].module] |= entry.status not in (COUNTED, ZERO)
    return gaps


def _upward(report: Report, flags: list[bool]) -> list[bool]:
    """For each module by index: whether it or one below it has the flag."""
    flags = list(flags)
    for index in range(len(flags) - 1, -1, -1):
        parent = report.modules[index].parent
        if parent >= 0:
            flags[parent] |= flags[index]
    return flags

"""Which modules a table or a tree shows, in which order, and how many it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dispatchcount.render.plain import ROOT
from dispatchcount.report import derived
from dispatchcount.report.coverage import below_or_at, gaps, ran
from dispatchcount.report.fold import Fold, Folding, local_name, together
from dispatchcount.report.memory_totals import memory_of_all, memory_totals
from dispatchcount.report.metrics import Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import Module, ModuleMemory


@dataclass(frozen=True, slots=True)
class Row:
    """A module, or equal modules folded, as a line of a table.

    Attributes:
        module: the module itself, the first of those folded.
        label: the part of its name that its parent's does not have, ``"conv1"`` below
            ``"layer1.0"``, ``"layers.0–31 ×32"`` where siblings are folded.
        stats: its figures.
        level: how many rows stand above it in the tree, 0 for a top row.
        ran: True if it or a module below it ran at all; if not, it has no figures but its
            parameters.
        gap: True if an operator that could not be counted ran in it or below it.
        own_gap: True if one ran in the module itself.
        total: the whole report's figures, for shares.
        memory: the bytes that it and those below it hold; None where memory was not followed.
        fold: the modules that it stands for, whose figures it adds up; None for a row that is not a
            module's.
    """

    module: Module
    label: str
    stats: Stats
    level: int
    ran: bool
    gap: bool
    own_gap: bool
    total: Stats
    memory: ModuleMemory | None = None
    fold: Fold | None = None

    @property
    def times(self) -> int:
        """How many siblings it folds; 1 if it is not folded itself."""
        return 1 if self.fold is None else self.fold.times

    @property
    def members(self) -> int:
        """How many modules its figures add up."""
        return 1 if self.fold is None else len(self.fold.members)

    @property
    def path(self) -> str:
        """Its full name, with how many siblings it folds: ``"model.layers.0–31 ×32"``."""
        if self.fold is None:
            return self.module.name
        return f"{self.fold.path} ×{self.times:,}" if self.times > 1 else self.fold.path

    @property
    def share(self) -> float | None:
        """Its part of all flops, None where there are none."""
        return derived.share(self.stats, self.total) if self.ran else None


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
    report: ReportData,
    depth: int | None = None,
    min_share: float = 0.0,
    key: Callable[[Row], tuple[object, ...]] | None = None,
    *,
    fold: bool = False,
) -> Selection:
    """The rows to show: top rows, and modules down to a depth that have a share of all flops.

    Args:
        report: the report.
        depth: 0 for the top rows alone, None for all.
        min_share: 0 to 1.
        key: orders the modules below one parent; by default they stay in the model's order.
        fold: True to show equal siblings as one row; see `Folding`.

    Raises:
        ValueError: `depth` is negative or `min_share` is not within 0 and 1.
    """
    if depth is not None and depth < 0:
        raise ValueError(
            f"depth={depth} is negative; give a number of levels from 0 up, or None for all"
        )
    if not 0 <= min_share <= 1:
        raise ValueError(
            f"min_share={min_share} is not a share; give a number from 0 to 1, 0.01 for 1 %"
        )
    rows_of = _Rows(report, key, fold)
    rows: list[Row] = []
    deeper = smaller = 0
    stack = rows_of.below(None, 0)
    while stack:
        one, row = stack.pop()
        if depth is not None and row.level > depth:
            deeper += row.members
        elif row.level and (row.share or 0) < min_share:
            smaller += row.members
        else:
            rows.append(row)
        stack += rows_of.below(one, row.level + 1)
    return Selection(tuple(rows), deeper, smaller, depth, min_share)


class _Rows:
    """Makes the rows below a parent, in the order in which they are shown."""

    def __init__(
        self,
        report: ReportData,
        key: Callable[[Row], tuple[object, ...]] | None,
        fold: bool,
    ) -> None:
        self._report = report
        self._key = key
        self._stats = report.by_module()
        self._ran = ran(report)
        self._own_gap = gaps(report)
        self._gap = below_or_at(report, self._own_gap)
        self._memory = memory_totals(report) if report.memory else None
        self._folding = Folding(report, fold)

    def below(self, above: Fold | None, level: int) -> list[tuple[Fold, Row]]:
        """The rows right below a row, the top rows without one.

        The last row comes first, as a stack has them.
        """
        rows = [(one, self._row(one, level)) for one in self._folding.below(above)]
        if self._key is not None:
            key = self._key
            rows.sort(key=lambda pair: key(pair[1]))
        elif above is None:
            # The work outside every module comes last.
            rows.sort(key=lambda pair: pair[0].first == 0)
        return rows[::-1]

    def _row(self, fold: Fold, level: int) -> Row:
        index = fold.first
        modules = self._report.modules
        memory = None
        if self._memory is not None:
            held = self._memory
            memory = memory_of_all(held[member] for member in fold.members)
        return Row(
            modules[index],
            fold.title or ROOT,
            together([self._stats[modules[member].name] for member in fold.members]),
            level,
            self._ran[index],
            self._gap[index],
            self._own_gap[index],
            self._report.total,
            memory,
            fold,
        )


def label(report: ReportData, index: int) -> str:
    """The part of a module's name that its parent's does not have, ``(root)`` for none."""
    return local_name(report.modules, index)[0] or ROOT

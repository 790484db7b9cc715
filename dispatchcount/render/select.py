"""Which modules a table or a tree shows, in which order, and how many it does not."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from dispatchcount.render.plain import ROOT
from dispatchcount.report import derived
from dispatchcount.report.collection import no_collection
from dispatchcount.report.coverage import below_or_at, gaps, ran
from dispatchcount.report.fold import Fold, folding, together
from dispatchcount.report.memory_totals import memory_of_all, memory_totals
from dispatchcount.report.metrics import Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.parameter_totals import (
    ParameterTotals,
    all_parameters,
    parameter_totals,
)
from dispatchcount.report.rows import Module, ModuleMemory
from dispatchcount.report.shapes import batch_of, inputs_by_module, outputs_by_module
from dispatchcount.report.tree import upward

Depth = int | Literal["auto"] | None
"""Levels below the root to show: so many, all (None), or as far as a table of `ROWS` rows goes."""

AUTO: Literal["auto"] = "auto"

ROWS = 31
"""Rows of a table that chooses by itself what to show: with its header and the lines below it, it
fills a window of 40 lines.
"""

MORE = "…"
"""Stands behind the name of a row if some modules in it are not shown."""

Key = Callable[["Row"], tuple[object, ...]]
"""Orders the rows below one row."""


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
        closed: True if modules in it are left out because the table chose by itself what to show.
        parameters: its parameters and those below it: trainable ones, bytes.
        inputs: the shapes of its inputs, and with how many calls each came.
        outputs: the distinct shapes that it returned.
        batch: how many samples the whole block ran; None where that is not known.
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
    closed: bool = False
    parameters: ParameterTotals = field(default_factory=ParameterTotals)
    inputs: Mapping[str, int] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    batch: int | None = None

    @property
    def name(self) -> str:
        """Its label, and a `MORE` behind it if it is closed."""
        return f"{self.label} {MORE}" if self.closed else self.label

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
        """Its full name, with how many siblings it folds: ``"model.layers.0–31 ×32"``.

        A `MORE` stands behind it if it is closed.
        """
        name = self.module.name if self.fold is None else self.fold.path
        if self.times > 1:
            name = f"{name} ×{self.times:,}"
        return f"{name or ROOT} {MORE}" if self.closed else name

    def names(self, report: ReportData) -> list[str]:
        """The names of the modules whose figures it adds up."""
        places = self.fold.members if self.fold is not None else ()
        return [report.modules[place].name for place in places]

    @property
    def share(self) -> float | None:
        """Its part of all flops, None where there are none."""
        return derived.share(self.stats, self.total) if self.ran else None


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows to show, a module before those below it, and how many others there are.

    Attributes:
        rows: those to show.
        deeper: modules below the depth asked for, or within closed rows.
        smaller: modules, none of those, with less than the share asked for.
        depth, min_share: what was asked for.
    """

    rows: tuple[Row, ...]
    deeper: int
    smaller: int
    depth: Depth
    min_share: float


@no_collection()
def select(
    report: ReportData,
    depth: Depth = None,
    min_share: float = 0.0,
    key: Key | None = None,
    *,
    fold: bool = False,
    most: int = ROWS,
    batch: int | None = None,
    wanted: Callable[[int], bool] = lambda _: True,
    size: Callable[[Row], tuple[int, ...]] | None = None,
) -> Selection:
    """The rows to show: top rows, and modules down to a depth that have a share of all flops.

    Args:
        report: the report.
        depth: 0 for the top rows alone, None for all, `AUTO` for what `most` rows hold.
        min_share: 0 to 1.
        key: orders the modules below one parent; by default they stay in the model's order.
        fold: True to show equal siblings as one row; see `Folding`.
        most: how many rows `AUTO` shows; see `_opened`.
        batch: how many samples the block ran; by default what its inputs say, see `batch_of`.
        wanted: False for the index of a module that the table leaves out with all below it, and
            without a word. It says the same of equal modules.
        size: puts first what `AUTO` opens first; by default what has the most flops, or without
            any the most parameters.

    Raises:
        ValueError: `depth` is no depth, `min_share` is not within 0 and 1, or `batch` is no number
            of samples.
    """
    check_depth(depth)
    if not 0 <= min_share <= 1:
        raise ValueError(
            f"min_share={min_share} is not a share; give a number from 0 to 1, 0.01 for 1 %"
        )
    rows_of = _Rows(report, key, fold, wanted, batch)
    shown = _opened(rows_of, min_share, most, size or _work) if depth == AUTO else None
    rows: list[Row] = []
    deeper = smaller = 0
    stack = rows_of.below(None, 0)
    while stack:
        one, row = stack.pop()
        small = row.level and (row.share or 0) < min_share
        cut = shown is not None and one.members not in shown
        if (isinstance(depth, int) and row.level > depth) or (cut and not min_share):
            # What is below it is cut as well, and needs no rows to be counted.
            deeper += rows_of.branch(one)
            continue
        below = rows_of.below(one, row.level + 1)
        stack += below
        if small:
            smaller += row.members
        elif cut:
            deeper += row.members
        elif shown is None:
            rows.append(row)
        else:
            left_out = any(
                part.members not in shown and (under.share or 0) >= min_share
                for part, under in below
            )
            rows.append(replace(row, closed=left_out))
    return Selection(tuple(rows), deeper, smaller, depth, min_share)


def check_depth(depth: Depth) -> None:
    """Refuse what is no depth.

    Raises:
        ValueError: it is neither a number of levels, nor None, nor `AUTO`.
    """
    if depth is None or depth == AUTO:
        return
    if not isinstance(depth, int) or depth < 0:
        what = "is negative" if isinstance(depth, int) else "is no depth"
        raise ValueError(
            f"depth={depth!r} {what}; give a number of levels from 0 up, None for all, "
            f"or {AUTO!r} for what fits a window"
        )


def _opened(
    rows_of: _Rows, min_share: float, most: int, size: Callable[[Row], tuple[int, ...]]
) -> set[tuple[int, ...]]:
    """The rows of a table of at most `most` rows that opens the biggest modules first.

    A row that is opened shows all rows right below it. Of those that could be opened the biggest
    one is next, as long as what is in it fits. If it does not fit and most of the table
    is still empty, the biggest of what is in it are shown: a model of a hundred different layers in
    a row must not be a single line.

    Returns:
        The members of each row's `Fold`.
    """
    top = rows_of.below(None, 0)
    shown = {one.members for one, _ in top}
    room = most - len(shown)
    waiting = [(size(row), one.members, one, row) for one, row in top]
    heapq.heapify(waiting)
    while waiting and room > 0:
        _, _, one, row = heapq.heappop(waiting)
        below = [
            pair for pair in rows_of.below(one, row.level + 1) if (pair[1].share or 0) >= min_share
        ]
        if len(below) > room:
            if 2 * room < most:
                continue
            below = sorted(below, key=lambda pair: size(pair[1]))[:room]
        room -= len(below)
        for part, under in below:
            shown.add(part.members)
            heapq.heappush(waiting, (size(under), part.members, part, under))
    return shown


def _work(row: Row) -> tuple[int, ...]:
    """Puts the rows with the most flops first, and among those without any the most parameters."""
    return -row.stats.flops, -row.stats.params


class _Rows:
    """Makes the rows below a parent, in the order in which they are shown."""

    def __init__(
        self,
        report: ReportData,
        key: Key | None,
        fold: bool,
        wanted: Callable[[int], bool],
        batch: int | None,
    ) -> None:
        self._report = report
        self._wanted = wanted
        self._key = key
        self._stats = report.by_module()
        self._ran = ran(report)
        self._own_gap = gaps(report)
        self._gap = below_or_at(report, self._own_gap)
        self._memory = memory_totals(report) if report.memory else None
        self._parameters = parameter_totals(report)
        self._inputs, self._outputs = inputs_by_module(report), outputs_by_module(report)
        found = batch_of(report, batch)
        self._batch = None if found is None else found.size
        self._folding = folding(report, fold)

    def below(self, above: Fold | None, level: int) -> list[tuple[Fold, Row]]:
        """The rows right below a row, the top rows without one.

        The last row comes first, as a stack has them.
        """
        folds = [one for one in self._folding.below(above) if self._wanted(one.first)]
        rows = [(one, self._row(one, level)) for one in folds]
        if self._key is not None:
            key = self._key
            rows.sort(key=lambda pair: key(pair[1]))
        elif above is None:
            # The work outside every module comes last.
            rows.sort(key=lambda pair: pair[0].first == 0)
        return rows[::-1]

    def branch(self, top: Fold) -> int:
        """How many modules a row stands for, with all modules below it."""
        return self._sizes[top.first] * len(top.members)

    @cached_property
    def _sizes(self) -> list[int]:
        """For each module by index: how many it is with those below it, of those wanted."""
        modules = self._report.modules
        sizes = [int(self._wanted(index)) for index in range(len(modules))]
        for index, parent in upward(modules):
            sizes[parent] += sizes[index] if sizes[parent] else 0
        return sizes

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
            parameters=all_parameters(self._parameters[member] for member in fold.members),
            inputs=sum((self._inputs[member] for member in fold.members), Counter[str]()),
            outputs=tuple(
                dict.fromkeys(text for member in fold.members for text in self._outputs[member])
            ),
            batch=self._batch,
        )

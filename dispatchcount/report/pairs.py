"""The modules of two reports beside each other: a row for each module of either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dispatchcount.report.diff import (
    ADDED,
    CHANGED,
    REMOVED,
    RENAMED,
    DiffData,
    compared,
    metrics_of,
)
from dispatchcount.report.metrics import Metric, Stats
from dispatchcount.report.model import ReportData

SAME = "same"


@dataclass(frozen=True, slots=True)
class Pair:
    """A module of one report and what it is in the other.

    Attributes:
        parent: the place of the pair above, always a smaller one; -1 for a top row.
        old, new: its index in `Report.modules` of each report; None where it is not there.
        change: one of `CHANGES`, or `SAME` if neither its type nor any figure changed.
    """

    parent: int
    old: int | None
    new: int | None
    change: str


def pairs(diff: DiffData) -> list[Pair]:
    """The modules of both reports: those of the new one in its order, then those that are gone.

    A module that was renamed is one pair, and so are the modules below it.
    """
    old, new = diff.old, diff.new
    rows, metrics = (old.by_module(), new.by_module()), metrics_of(old, new)
    before = {row.name: row.old_name for row in diff.modules if row.change == RENAMED}
    index_old = {name: index for index, name in _named(old)}
    found: list[Pair] = []
    place_new: dict[int, int] = {}
    place_old: dict[int, int] = {}
    called: dict[str, str] = {}
    for index, name in _named(new):
        was = before.get(name) or (name if name in index_old else _below(name, called))
        match = None if was is None else index_old.get(was)
        if match in place_old:  # it stands beside another module already
            match = None
        if match is not None:
            called[name] = old.modules[match].name
            place_old[match] = len(found)
        place_new[index] = len(found)
        parent = place_new.get(new.modules[index].parent, -1)
        found.append(Pair(parent, match, index, _change(diff, rows, metrics, match, index)))
    for index, _ in _named(old):
        if index not in place_old:
            parent = place_old.get(old.modules[index].parent, -1)
            place_old[index] = len(found)
            found.append(Pair(parent, index, None, REMOVED))
    return found


def _named(report: ReportData) -> Iterator[tuple[int, str]]:
    rows = report.by_module()
    for index, module in enumerate(report.modules):
        if module.name in rows:
            yield index, module.name


def _below(name: str, called: dict[str, str]) -> str | None:
    """What a module below a renamed one was called."""
    above, _, last = name.rpartition(".")
    return f"{called[above]}.{last}" if above in called and called[above] != above else None


def _change(
    diff: DiffData,
    rows: tuple[dict[str, Stats], dict[str, Stats]],
    metrics: tuple[Metric, ...],
    before: int | None,
    now: int,
) -> str:
    if before is None:
        return ADDED
    was, became = diff.old.modules[before], diff.new.modules[now]
    if was.type != became.type:
        return CHANGED
    if compared(rows[0][was.name], metrics) != compared(rows[1][became.name], metrics):
        return CHANGED
    return SAME if was.name == became.name else RENAMED

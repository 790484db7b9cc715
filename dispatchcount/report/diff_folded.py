"""The rows of a diff told in fewer: a tree that came or went as one, and equal changes as one.

A block of 32 layers that became wider changes each module of each layer alike. That is one change a
reader has to see, and not 32 times as many rows as a layer has modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from dispatchcount.report.diff import (
    ADDED,
    REMOVED,
    RENAMED,
    Change,
    DiffData,
    change_size,
    compared,
)
from dispatchcount.report.fold import numbered, ranged
from dispatchcount.report.metrics import COMPARED
from dispatchcount.report.rows import Module

_LONGEST = 1_000
"""Characters of a name beyond which rows are not looked at for equal ones.

The names of a chain of 20,000 modules are together as long as the square of that.
"""


@dataclass(frozen=True, slots=True)
class FoldedChange:
    """Changes that are told on one row.

    Attributes:
        change: their sum; its name has the ranges of those folded, ``"layers.0–31.mlp"``.
        times: how many changes it adds up.
        inside: modules that came or went inside of what it names, and have no row.
    """

    change: Change
    times: int = 1
    inside: int = 0


def folded_modules(diff: DiffData) -> list[FoldedChange]:
    """The modules that changed, the biggest change first.

    What was added or removed is named by the outermost modules that were. Changes are one row if
    their names differ in one number alone, ``layers.0.mlp`` and ``layers.1.mlp``, and all else is
    equal: the type, the old and the new figures, and how many modules lie inside.
    """
    rows = [row for row in diff.modules if row.change not in (ADDED, REMOVED)]
    found = [FoldedChange(row) for row in rows]
    for change, modules in ((ADDED, diff.new.modules), (REMOVED, diff.old.modules)):
        found += _trees([row for row in diff.modules if row.change == change], modules)
    return sorted(_equal_as_one(found), key=lambda one: change_size(one.change))


def _trees(rows: Sequence[Change], modules: Sequence[Module]) -> list[FoldedChange]:
    """The outermost of modules that came or went, and how many lie in each."""
    changed = {row.name: row for row in rows}
    # A module comes after the one around it, so that each finds the outermost one above it.
    top: dict[int, int] = {}
    inside: dict[int, int] = {}
    for index, module in enumerate(modules):
        if module.name not in changed:
            continue
        top[index] = top.get(module.parent, index)
        if top[index] == index:
            inside[index] = 0
        else:
            inside[top[index]] += 1
    return [
        FoldedChange(changed[modules[index].name], inside=number)
        for index, number in inside.items()
    ]


def _equal_as_one(rows: list[FoldedChange]) -> list[FoldedChange]:
    """Rows whose names differ in one number, and nothing else does, added up.

    It goes from the innermost part of the names outwards: where layers of 4 blocks have 2 equal
    parts each, the parts of a block become one row first, then those rows of 4 blocks.
    """
    parts = [_parts(row) for row in rows]
    for place in range(max(map(len, parts), default=0) - 1, -1, -1):
        groups: dict[object, list[int]] = {}
        for index, (row, names) in enumerate(zip(rows, parts, strict=True)):
            groups.setdefault(_key(row, names, place, index), []).append(index)
        if len(groups) == len(rows):
            continue
        merged = [
            _merged([rows[i] for i in group], [parts[i] for i in group], place)
            for group in groups.values()
        ]
        rows, parts = [row for row, _ in merged], [names for _, names in merged]
    return rows


def _parts(row: FoldedChange) -> list[str]:
    """The parts of a row's name; none where it stays a row of its own."""
    name = row.change.name
    if row.change.change == RENAMED or len(name) > _LONGEST:
        return []
    return name.split(".")


def _key(row: FoldedChange, names: list[str], place: int, index: int) -> object:
    """What rows share that become one; the row's index where it stays apart."""
    stem = numbered(names[place]) if place < len(names) else None
    if stem is None:
        return index
    change = row.change
    figures = (
        compared(change.old, COMPARED),
        compared(change.new, COMPARED),
        row.times,
        row.inside,
    )
    name = (*names[:place], stem, *names[place + 1 :])
    return name, change.change, change.type, figures


def _merged(
    rows: Sequence[FoldedChange], parts: Sequence[list[str]], place: int
) -> tuple[FoldedChange, list[str]]:
    """Rows as one, and the parts of its name."""
    first, names = rows[0], parts[0]
    if len(rows) == 1:
        return first, names
    names = [*names[:place], ranged([one[place] for one in parts]), *names[place + 1 :]]
    change = replace(
        first.change,
        name=".".join(names),
        old=reduce(add, (row.change.old for row in rows)),
        new=reduce(add, (row.change.new for row in rows)),
    )
    times, inside = sum(row.times for row in rows), sum(row.inside for row in rows)
    return FoldedChange(change, times, inside), names

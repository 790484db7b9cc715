"""Which siblings a page shows as one row, by their places among the page's rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dispatchcount.report.fold import Fold, folding, ranged

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData
    from dispatchcount.report.pairs import Pair


@dataclass
class Groups:
    """Folds of one page.

    Attributes:
        members: the rows of each fold, in order.
        labels: their name as one, ``"0–31"``.
        merged: rows of containers that stand under one name with the fold below them.
    """

    members: list[list[int]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    merged: set[int] = field(default_factory=set)

    def for_script(self) -> dict[str, Any]:
        """The folds as the page's script reads them."""
        return {"members": self.members, "label": self.labels, "merged": sorted(self.merged)}


def of_report(report: ReportData, shown: Iterable[int]) -> Groups:
    """The folds of one report, as `report.fold` folds it; members are indices of modules."""
    rows = folding(report)
    groups = Groups()
    for index in shown:
        name = report.modules[index].name
        for below in rows.below(Fold((index,), 1, name, name, None, True)):
            if below.times < 2:
                continue
            container = report.modules[below.first].parent
            if container == index:
                groups.members.append(list(below.members))
                groups.labels.append(below.label)
            else:  # the fold stands for a container as well; it comes again below that one
                groups.merged.add(container)
    return groups


def placed(groups: Groups, place: dict[int, int]) -> Groups:
    """The same folds with rows of a page instead of indices of modules."""
    return Groups(
        [[place[member] for member in members] for members in groups.members],
        groups.labels,
        {place[container] for container in groups.merged},
    )


def split(
    groups: Groups, parents: Sequence[int], names: Sequence[str], kinds: Sequence[int]
) -> Groups:
    """The same folds, but only of siblings that are of one kind, and hold rows of the same kinds.

    Args:
        groups: folds of a page.
        parents: for each row the row above, always a smaller one; -1 for a top row.
        names: what each row's name adds to that of the row above.
        kinds: for each row a number that rows of one kind share.
    """
    # A row's number stands for its kind and all that it holds: those below it come after it.
    below: list[list[int]] = [[] for _ in parents]
    known: dict[tuple[int, ...], int] = {}
    numbers = [0] * len(parents)
    for row in range(len(parents) - 1, -1, -1):
        key = (kinds[row], *reversed(below[row]))
        numbers[row] = known.setdefault(key, len(known))
        if parents[row] >= 0:
            below[parents[row]].append(numbers[row])
    found = Groups(merged=set(groups.merged))
    for members in groups.members:
        alike: dict[int, list[int]] = {}
        for row in members:
            alike.setdefault(numbers[row], []).append(row)
        if len(alike) > 1:  # the container holds more than one fold now
            found.merged.discard(parents[members[0]])
        for rows in alike.values():
            if len(rows) > 1:
                found.members.append(rows)
                found.labels.append(ranged([names[row] for row in rows]))
    return found


def of_pairs(rows: Sequence[Pair], names: Sequence[str], old: Groups, new: Groups) -> Groups:
    """The folds of two reports beside each other.

    Siblings fold if they do so in each report that has them, and hold the same rows.

    Args:
        rows: the pairs, by row.
        names: what each row's name adds to that of the row above.
        old: the folds of the old report, by index of module.
        new: the folds of the new report.
    """
    fold_old, fold_new = _fold_of(old), _fold_of(new)
    children: dict[int, list[int]] = {}
    for row, pair in enumerate(rows):
        children.setdefault(pair.parent, []).append(row)
    shapes = _shapes(names, children, len(rows))
    groups = Groups()
    for parent, below in children.items():
        if parent < 0:
            continue
        alike: dict[tuple[object, ...], list[int]] = {}
        for row in below:
            pair = rows[row]
            key = (_group(fold_old, pair.old), _group(fold_new, pair.new), shapes[row], pair.change)
            alike.setdefault(key, []).append(row)
        for (before, now, *_), members in alike.items():
            if len(members) > 1 and -1 not in (before, now):
                groups.members.append(members)
                groups.labels.append(ranged([names[row] for row in members]))
                if len(members) == len(below) and _is_merged(rows[parent], old, new):
                    groups.merged.add(parent)
    return groups


def _fold_of(groups: Groups) -> dict[int, int]:
    return {member: fold for fold, members in enumerate(groups.members) for member in members}


def _group(folds: dict[int, int], index: int | None) -> int | None:
    """The fold that a module is in, -1 for none; None if the report has no such module."""
    return None if index is None else folds.get(index, -1)


def _shapes(names: Sequence[str], children: dict[int, list[int]], number: int) -> list[int]:
    """For each row a number that rows share which hold the same names, all the way down."""
    known: dict[tuple[tuple[str, int], ...], int] = {}
    shapes = [0] * number
    for row in range(number - 1, -1, -1):  # children come after the row above them
        key = tuple((names[child], shapes[child]) for child in children.get(row, ()))
        shapes[row] = known.setdefault(key, len(known))
    return shapes


def _is_merged(pair: Pair, old: Groups, new: Groups) -> bool:
    sides = ((pair.old, old), (pair.new, new))
    return all(index in groups.merged for index, groups in sides if index is not None)

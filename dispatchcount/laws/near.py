"""Runs close to the start: the degree in each size, and which products of sizes occur."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise, product

from dispatchcount.laws.lattice import Index, Lattice, below, difference
from dispatchcount.laws.part import PRIMARY
from dispatchcount.laws.samples import Samples
from dispatchcount.laws.sheet import Cell

HIGHEST = 4
"""The highest degree in one size that is looked for. Models have 1 in the batch, 2 in a length, 4
in the side of a square image whose patches attend to each other."""


@dataclass(slots=True)
class Probe:
    """What a few runs along one size showed.

    Attributes:
        degree: of the rows that look like a polynomial.
        rough: cells whose differences do not vanish.
        raised: True if the code does not allow a neighbouring size.
    """

    degree: int = 0
    rough: set[Cell] = field(default_factory=set)
    raised: bool = False


def probe(
    samples: Samples,
    lattice: Lattice,
    axis: int,
    columns: Collection[str],
    middle: Callable[[], int] | None,
    *,
    careful: bool = False,
) -> Probe:
    """Take steps along one size until the differences vanish.

    Where all that leads is in proportion to the size, as with a batch, it is taken for a straight
    line, and the far points decide later. With `middle`, which is how many steps to take, one run
    decides at once: a law in one size has no other points where that size varies alone.

    A second difference that is not zero may be a square. Unless `careful`, it is taken for one
    where the figures grow ever faster, as squares do: that saves a run, and the far points decide
    later. Otherwise more steps are taken.
    """
    degree = 0
    for order in range(1, HIGHEST + 2):
        if not samples.take(lattice.point(_unit(lattice, axis, order))):
            return Probe(raised=True)
        changes = _differences(samples, lattice, axis, columns, order)
        nonzero = {number for number, by_order in changes.items() if by_order[order]}
        if not nonzero:
            break
        if order == HIGHEST + 1:
            members = samples.sheet.members
            rough = {cell for number in nonzero for cell in members[number]}
            smooth = [d for number, d in changes.items() if number not in nonzero]
            degree = max((k for d in smooth for k in range(1, order) if d[k]), default=0)
            return Probe(degree, rough)
        degree = order
        if order == 1 and not careful and _in_proportion(lattice, axis, changes, samples):
            steps = middle() if middle else 0
            if middle is None or (steps > 1 and _straight(samples, lattice, axis, steps, changes)):
                return Probe(degree)
        if (
            order == 2
            and not careful
            and all(changes[n][1] > 0 and changes[n][2] > 0 for n in nonzero)
        ):
            break
    return Probe(degree)


def _in_proportion(
    lattice: Lattice, axis: int, changes: dict[int, list[int]], samples: Samples
) -> bool:
    """True if each leading class has the same figure at both points, or grows like the size."""
    start, step = lattice.start[axis], lattice.step[axis]
    leading = set(samples.sheet.classes(PRIMARY))
    return all(
        change == 0 or value * step == change * start
        for number, (value, change) in changes.items()
        if number in leading
    )


def _straight(
    samples: Samples, lattice: Lattice, axis: int, steps: int, changes: dict[int, list[int]]
) -> bool:
    """True if every class is on a straight line with a point that is `steps` away."""
    # The run may split a class in two, so the line is looked at by cells.
    before = {number: samples.sheet.members[number] for number in changes}
    point = lattice.point(_unit(lattice, axis, steps))
    if not samples.take(point):
        return False
    found = samples.observation(point)
    return all(
        found.figure(cell) == changes[number][0] + steps * changes[number][1]
        for number, cells in before.items()
        for cell in cells
    )


def grow(
    samples: Samples, lattice: Lattice, degrees: list[int], columns: Collection[str]
) -> list[Index] | None:
    """The indices whose mixed differences are not zero; None if the code raises at one of them.

    An index is tried only if all that are one step lower are in the set, and a zero closes it. So
    the set is as sparse as the
    formula: six indices for ``b·(s² + s)``.
    """
    kept = {
        _unit(lattice, axis, k) for axis, degree in enumerate(degrees) for k in range(degree + 1)
    }
    tried = set(kept)
    while True:
        grown = {
            (*index[:axis], index[axis] + 1, *index[axis + 1 :])
            for index in kept
            for axis, degree in enumerate(degrees)
            if index[axis] < degree
        }
        ready = sorted(
            index for index in grown - tried if all(lower in kept for lower in below(index))
        )
        if not ready:
            return sorted(kept)
        for index in sorted(ready, key=lambda index: (sum(index), index)):
            tried.add(index)
            if not samples.take(lattice.point(index)):
                return None
            if _occurs(samples, lattice, index, columns):
                kept.add(index)


def _occurs(samples: Samples, lattice: Lattice, index: Index, columns: Collection[str]) -> bool:
    """True if the mixed difference of some class is not zero."""
    indices = list(product(*(range(k + 1) for k in index)))
    points = [lattice.point(lower) for lower in indices]
    sheet = samples.sheet
    return any(
        difference(index, dict(zip(indices, sheet.values(number, points), strict=True)))
        for number in sheet.classes(columns)
    )


def _differences(
    samples: Samples, lattice: Lattice, axis: int, columns: Collection[str], most: int
) -> dict[int, list[int]]:
    """For each class its differences of order 0 to `most` along one size."""
    points = [lattice.point(_unit(lattice, axis, k)) for k in range(most + 1)]
    sheet = samples.sheet
    found: dict[int, list[int]] = {}
    for number in sheet.classes(columns):
        row = list(sheet.values(number, points))
        differences = [row[0]]
        while len(row) > 1:
            row = [b - a for a, b in pairwise(row)]
            differences.append(row[0])
        found[number] = differences
    return found


def _unit(lattice: Lattice, axis: int, k: int) -> Index:
    return tuple(k if place == axis else 0 for place in range(len(lattice.start)))

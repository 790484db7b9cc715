"""Both ends of the sizes: how large the code allows them to be, and how small a law still holds."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.laws.lattice import Interpolation, Lattice
from dispatchcount.laws.part import PRIMARY
from dispatchcount.laws.runs import Point, Raised
from dispatchcount.laws.samples import Samples


def largest(samples: Samples, lattice: Lattice, axis: int, raises: int) -> tuple[int, str]:
    """The largest value of one size at which the code runs, and what it raises beyond; `raises` is
    a value at which it does.
    """
    start, step = lattice.start[axis], lattice.step[axis]
    low, high = 0, (raises - start) // step
    while high - low > 1:
        middle = (low + high) // 2
        if samples.take(lattice.along(axis, start + middle * step)):
            low = middle
        else:
            high = middle
    error = samples.runs.at(lattice.along(axis, start + high * step))
    assert isinstance(error, Raised)
    return start + low * step, f"{start + high * step} raised {error}"


def smallest(
    samples: Samples, fit: Interpolation, columns: set[str], far: Point
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """For each column the smallest value of each size from which on its law holds.

    Each size is lowered alone while the others are far away, so that the runs also check the law
    where one size is small and another large. Then the smallest values are tried together.

    Returns:
        What holds for modules; and what holds for each operator, which is the same or more.
    """
    lattice = fit.lattice
    least: dict[str, list[int]] = {column: [] for column in columns}
    of_operators: dict[str, list[int]] = {column: [] for column in columns}
    for axis, (start, step) in enumerate(zip(lattice.start, lattice.step, strict=True)):
        first = (start - 1) % step + 1
        waiting = set(columns)
        # Length 1 and batch 1 are special in many models (copies and masks are left out there), so
        # the next value is tried as well.
        for x in (first, first + step):
            if x >= start:
                break
            good, exact = _holding(samples, fit, waiting, (*far[:axis], x, *far[axis + 1 :]))
            for column in good:
                least[column].append(x)
                of_operators[column].append(x if column in exact else start)
            waiting -= good
        for column in waiting:
            fails = (first + step - start) // step
            steps = _lowered(samples, fit, column, far, axis, fails)
            least[column].append(start + steps * step)
            of_operators[column].append(start)
    for column in columns & PRIMARY:
        if column not in _holding(samples, fit, {column}, tuple(least[column]))[0]:
            least[column] = _corner(samples, fit, column, least[column])
    return least, of_operators


def _corner(samples: Samples, fit: Interpolation, column: str, least: Sequence[int]) -> list[int]:
    """The smallest values that hold together, where the smallest that hold alone do not: a product
    of two sizes, their sum, or the larger one may decide what the code does.

    All sizes are at the start, and one after the other is lowered as far as it goes, those first
    that have the shortest way.
    """
    start, step = fit.lattice.start, fit.lattice.step
    corner = start
    for axis in sorted(range(len(start)), key=lambda a: (start[a] - least[a]) // step[a]):
        steps = (least[axis] - start[axis]) // step[axis]
        lowest = (*corner[:axis], least[axis], *corner[axis + 1 :])
        if column not in _holding(samples, fit, {column}, lowest)[0]:
            steps = _lowered(samples, fit, column, corner, axis, steps)
        corner = (*corner[:axis], start[axis] + steps * step[axis], *corner[axis + 1 :])
    return list(corner)


def _lowered(
    samples: Samples, fit: Interpolation, column: str, others: Point, axis: int, fails: int
) -> int:
    """The smallest number of steps from the start of one size at which a column holds.

    Args:
        samples: the runs.
        fit: what holds at the start itself.
        column: which.
        others: where the other sizes are.
        axis: which size.
        fails: a number of steps, below 0, that does not hold.
    """
    start, step = fit.lattice.start[axis], fit.lattice.step[axis]
    low, high = min(fails, 0), 0
    while high - low > 1:
        middle = (low + high) // 2
        point = (*others[:axis], start + middle * step, *others[axis + 1 :])
        if column in _holding(samples, fit, {column}, point)[0]:
            high = middle
        else:
            low = middle
    return high


def _holding(
    samples: Samples, fit: Interpolation, columns: set[str], point: Point
) -> tuple[set[str], set[str]]:
    """The columns that hold at a point for modules, and of those the ones that hold for each
    operator.
    """
    wrong = samples.failing_columns(fit, point, columns) if columns else None
    if wrong is None:
        return set(), set()
    in_modules, in_operators = wrong
    good = columns - in_modules
    return good, good - in_operators

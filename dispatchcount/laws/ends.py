"""Both ends of the sizes: how large the code allows them to be, and how small a law still holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dispatchcount.laws.lattice import Interpolation, Lattice
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
    samples: Samples, fit: Interpolation, columns: Collection[str], far: Point
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """For each column the smallest value of each size from which on its law holds.

    The sizes are taken in order. One is lowered while those before it are at their smallest and
    those after it far away, so that the runs also check the law in the corners and far from the
    start. Length 1 and batch 1 are special in many models (copies and masks are left out there): a
    column that failed at the smallest value of one size is not tried at that of another, where it
    would fail as well.

    Returns:
        What holds for modules; and what holds for each operator, which is the same or more.
    """
    least: dict[str, list[int]] = {column: [] for column in columns}
    of_operators: dict[str, list[int]] = {column: [] for column in columns}
    usual = set(columns)
    for axis, (start, step) in enumerate(zip(fit.lattice.start, fit.lattice.step, strict=True)):
        first = (start - 1) % step + 1
        waiting = set(columns)

        def settle(x: int, tried: set[str], axis: int = axis, start: int = start) -> set[str]:
            """The columns that hold where the size is `x`; it is their smallest value."""
            good, exact = _holding(samples, fit, least, tried, x, axis, far)
            for column in good:
                of_operators[column].append(x if column in exact else start)
            return good

        for x in (first, first + step):
            if x >= start:
                break
            good = settle(x, waiting & usual if x == first else waiting)
            for column in good:
                least[column].append(x)
            waiting -= good
            if x == first:
                usual &= good
        for column in waiting:
            found = start
            low, high = (first + step - start) // step, 0
            while high - low > 1:
                middle = (low + high) // 2
                x = start + middle * step
                if _holding(samples, fit, least, {column}, x, axis, far)[0]:
                    high, found = middle, x
                else:
                    low = middle
            least[column].append(found)
            of_operators[column].append(start)
    return least, of_operators


def _holding(
    samples: Samples,
    fit: Interpolation,
    least: dict[str, list[int]],
    columns: Collection[str],
    x: int,
    axis: int,
    far: Sequence[int],
) -> tuple[set[str], set[str]]:
    """The columns that hold where one size is `x`, those before at their smallest, those after far
    away.

    One run serves all the columns: each size before is the smallest at which every column holds.

    Returns:
        The columns that hold for modules, and of those the ones that hold for each operator.
    """
    if not columns:
        return set(), set()
    corner = tuple(max(values) for values in zip(*(least[c] for c in columns), strict=True))
    wrong = samples.failing_columns(fit, (*corner, x, *far[axis + 1 :]), columns)
    if wrong is None:
        return set(), set()
    in_modules, in_operators = wrong
    good = set(columns) - in_modules
    return good, good - in_operators

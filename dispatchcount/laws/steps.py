"""The step of one size: strides, windows and chunks make a law hold only from one residue class to
the next.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import gcd

from dispatchcount.laws.lattice import Interpolation, Lattice
from dispatchcount.laws.near import HIGHEST
from dispatchcount.laws.runs import Point
from dispatchcount.laws.samples import Samples
from dispatchcount.laws.sheet import Cell

LONG = 107_520
"""2¹⁰·3·5·7: a step that keeps the residue of nearly every stride, patch, window and chunk."""

SHORTER = (
    *(13440, 6720, 3840, 3584, 3360, 1920, 1792, 1680, 960, 896, 840, 480, 448, 420, 240, 224),
    *(128, 120, 96, 64, 60, 56, 48, 32, 30, 28, 24, 20, 16, 12, 10, 8, 6, 5, 4, 3, 2),
)
"""Steps with many divisors for where a long way is not allowed or too expensive."""

TRIED = 3
"""So many long steps are tried, from the longest that is allowed."""

AWAY = 50_000
"""The first long step begins so far from the start, if that is allowed: a window may end the small
sizes.
"""


@dataclass(slots=True)
class Found:
    """A start and a step of one size on which rows are polynomials.

    Attributes:
        start: the smallest size at or above the old start from which they are.
        step: the smallest step, of those that divide the long one.
        hopeless: cells that are no polynomial on it either.
        fit, point: the interpolation that those fail, and where.
    """

    start: int
    step: int
    hopeless: set[Cell]
    fit: Interpolation
    point: Point


def find_step(
    samples: Samples,
    lattice: Lattice,
    axis: int,
    columns: Collection[str],
    wanted: set[Cell],
    most: int,
    known: Iterable[int] = (),
) -> Found | None:
    """Look for a step of one size.

    First a long step is taken that keeps all residues. Then it is shortened prime by prime, one run
    each, while the polynomial found on it still holds in between. At last the smallest size from
    which it holds is bisected.

    Args:
        samples: the runs.
        lattice: the sizes the others stay at, and the step so far.
        axis: which size.
        columns: the columns that the step is made for.
        wanted: the cells that fail on the step so far, empty if the code raised there.
        most: the largest value that may be tried.
        known: steps of other sizes, tried first: the sides of an image have the same.

    Returns:
        What was found. Its `hopeless` has all of `wanted` where no step helps. None if the code
        raised at every step.
    """
    failed: Found | None = None
    start, old = lattice.start[axis], lattice.step[axis]
    tried = 0
    for long in _long_steps(start, old, most):
        first = start + long * min((most - start) // long - SPAN, max(1, -(-AWAY // long)))
        found = _on_long_step(samples, lattice, axis, columns, first, long)
        if found is None:
            continue
        line, hopeless, point = found
        if wanted and wanted <= hopeless:
            failed = failed or Found(start, old, hopeless, line, point)
            tried += 1
            if tried == TRIED:
                break
            continue

        def holds(x: int, line: Interpolation = line, hopeless: set[Cell] = hopeless) -> bool:
            wrong = samples.failing(line, lattice.along(axis, x), columns)
            return wrong is not None and wrong <= hopeless

        step = _shortened(holds, first, long, old, known)
        least = _least(holds, start, first, step)
        if wanted and (least, step) == (start, old):
            # One neighbour held, and yet cells fail: the sizes at which they differ are rare, such
            # as the multiples of seven.
            step = _shortened(holds, first, long, old, (), strict=True)
            least = _least(holds, start, first, step)
        return Found(least, step, hopeless, line, point)
    return failed


def _on_long_step(
    samples: Samples, lattice: Lattice, axis: int, columns: Collection[str], first: int, long: int
) -> tuple[Interpolation, set[Cell], Point] | None:
    """The interpolation on a long step, the cells that it fails, and a point where it does; None if
    the code raised.
    """
    line = lattice.with_axis(axis, first, long)
    wrong: set[Cell] = set()
    for order in range(2, HIGHEST + 1):
        points = [lattice.along(axis, first + long * k) for k in range(order + 2)]
        # The farthest point comes first: if the code does not allow it, the others need not be run.
        if not all(samples.take(point) for point in reversed(points)):
            return None
        indices = [
            tuple(k if a == axis else 0 for a in range(len(line.start))) for k in range(order + 1)
        ]
        fit = Interpolation(line, indices)
        wrong = samples.failing(fit, points[-1], columns) or set()
        if not wrong:
            break
    return fit, wrong, points[-1]


SPAN = HIGHEST + 1
"""So many long steps lie between the first and the last point of an interpolation and its check."""


def _long_steps(start: int, old: int, most: int) -> list[int]:
    """Steps of which at least one and a span may be taken from `start` on; multiples of the step so
    far.
    """
    steps = []
    for step in (LONG, *SHORTER):
        multiple = step * old // gcd(step, old)
        if multiple > old and start + (SPAN + 1) * multiple <= most and multiple not in steps:
            steps.append(multiple)
    return steps


def _shortened(
    holds: Callable[[int], bool],
    first: int,
    long: int,
    old: int,
    known: Iterable[int],
    *,
    strict: bool = False,
) -> int:
    """The smallest step for which the polynomial on the long one still holds. With `strict`, every
    residue of a prime is tried, and not only one.
    """
    if not strict and holds(first + old):  # no residues at all: the law begins later than the start
        return old
    for step in sorted(set(known)):
        if (
            step > old
            and long % step == 0
            and step % old == 0
            and holds(first + step)
            and not (step % (2 * old) == 0 and holds(first + step // 2))
        ):
            return step
    step = long
    for prime in (7, 5, 3):
        multiples = range(1, prime if strict else 2)
        while step % (prime * old) == 0 and all(
            holds(first + k * step // prime) for k in multiples
        ):
            step //= prime
    # The power of two by bisection: `low` fails or is one too few, `high` holds.
    twos = 0
    while step % (2 ** (twos + 1) * old) == 0:
        twos += 1
    odd = step >> twos
    low, high = -1, twos
    while high - low > 1:
        middle = (low + high) // 2
        if holds(first + (odd << middle)):
            high = middle
        else:
            low = middle
    return odd << high


def _least(holds: Callable[[int], bool], start: int, first: int, step: int) -> int:
    """The smallest value from `start` on that holds, in steps; `first` holds."""
    if holds(start):
        return start
    low, high = 0, (first - start) // step
    while high - low > 1:
        middle = (low + high) // 2
        if holds(start + middle * step):
            high = middle
        else:
            low = middle
    return start + high * step

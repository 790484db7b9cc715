"""Which points far from the start a formula is compared with.

Two points at random would miss much: a model that does more where one size is the larger one, where
two sizes are equal, or where a size is a multiple of eight. So one point has equal sizes that many
numbers divide, and another has the sizes in the opposite order of the start, each one less than
such a number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from math import gcd, isqrt
from random import Random

from dispatchcount.laws.lattice import Lattice
from dispatchcount.laws.runs import Point

EVEN, ODD = 2**8, 3**2 * 5 * 7
"""What strides, patches, windows and chunks are made of."""

SMALL = 2**3 * 3 * 5 * 7
"""The same for numbers of a few hundred."""

TOGETHER = (700, 1500)
"""How far from the start sizes are equal."""

APART = (20_000, 130_000)
"""How far from the start sizes are in the opposite order."""

LEAST_STEPS, MOST_STEPS = 5, 9
"""At least so many steps are taken where steps are long."""

CANDIDATES = 2520
"""So many values are looked through for the best one."""


def together(
    lattice: Lattice, most: Sequence[int], liked: Collection[int], halvings: int, random: Random
) -> Point:
    """A point whose sizes are equal, as many of them as can be, and much divides them.

    Args:
        lattice: where the formula was made.
        most: the largest value of each size.
        liked: numbers that the model itself is made of. A size that is one of them may be taken for
            something else by the code, so they come first.
        halvings: how often the distance to the start is halved, to make the run cheaper.
        random: what is left open.
    """
    axes = range(len(lattice.start))
    spans = [_span(lattice, axis, most[axis], *TOGETHER, halvings) for axis in axes]
    widest = max(axes, key=lambda axis: lattice.step[axis])

    def merit(x: int) -> tuple[int, ...]:
        fitting = sum(_fits(lattice, axis, spans[axis], x) for axis in axes)
        return fitting, x in liked, *_aligned(x)

    same = _best(lattice, widest, spans[widest], merit, random)
    return tuple(
        same
        if _fits(lattice, axis, spans[axis], same)
        else _best(lattice, axis, spans[axis], _aligned, random)
        for axis in axes
    )


def apart(lattice: Lattice, most: Sequence[int], halvings: int, random: Random) -> Point:
    """A point with the sizes in the opposite order of the start, far from each other. Each is one
    less than a multiple of a power of two, and odd numbers divide it. Arguments as for `together`.
    """
    low, high = APART
    axes = range(len(lattice.start))
    ratio = (high / low) ** (1 / len(lattice.start))
    point = list(lattice.start)
    for rank, axis in enumerate(sorted(axes, key=lambda axis: -lattice.start[axis])):
        bounds = int(low * ratio**rank), int(low * ratio ** (rank + 1))
        span = _span(lattice, axis, most[axis], *bounds, halvings)
        point[axis] = _unaligned(lattice, axis, span, random)
    return tuple(point)


def between(
    lattice: Lattice, most: Sequence[int], points: Sequence[Point], halvings: int, random: Random
) -> Point:
    """For each size the middle of the widest gap between the values that `points` have, as a
    proportion: between 16 and 1,600 lies 160. Other arguments as for `together`.
    """
    point = []
    for axis, (start, step) in enumerate(zip(lattice.start, lattice.step, strict=True)):
        furthest = max(min(start + APART[1], most[axis]), start)
        values = {x for x in (p[axis] for p in points) if start <= x <= furthest}
        known = sorted({start, furthest, *values})
        low, high = max(pairwise([*known, furthest]), key=lambda gap: gap[1] / gap[0])
        # Around the middle is a value that much divides.
        centre = isqrt(low * high)
        near, far = (
            start + ((x - start) // step >> halvings) * step
            for x in (max(low, centre * 3 // 4), centre)
        )
        point.append(_best(lattice, axis, (near, far), _aligned, random))
    return tuple(point)


def middle(lattice: Lattice, axis: int, most: int, random: Random) -> int:
    """Some hundreds away from the start along one size, in steps. Odd numbers divide the point, for
    powers of two divide that of `together`.
    """
    span = _span(lattice, axis, most, 150, 450, 0)
    x = _best(lattice, axis, span, lambda x: gcd(x, SMALL), random)
    return (x - lattice.start[axis]) // lattice.step[axis]


def _span(
    lattice: Lattice, axis: int, most: int, near: int, far: int, halvings: int
) -> tuple[int, int]:
    """The smallest and the largest value of a size, of those on the lattice, that are taken."""
    start, step = lattice.start[axis], lattice.step[axis]
    low = max(-(-near // step), LEAST_STEPS) >> halvings
    high = max(far // step, MOST_STEPS) >> halvings
    allowed = max((most - start) // step, 0)
    if high > allowed:
        high = allowed
        low = min(low, high - high // 3)
    return start + low * step, start + high * step


def _aligned(x: int) -> tuple[int, int]:
    """How aligned a number is: to powers of two first, as kernels ask for it."""
    return gcd(x, EVEN), gcd(x, ODD)


def _unaligned(lattice: Lattice, axis: int, span: tuple[int, int], random: Random) -> int:
    """A value that is one less than a multiple of `EVEN`, or of as large a part of it as there is,
    and a multiple of `ODD` likewise.
    """
    low, high = span
    step = lattice.step[axis]
    first = low + step * random.randint(0, max((high - low) // step - EVEN * ODD, 0))
    first = max(
        range(first, min(first + EVEN * step, high + 1), step), key=lambda x: gcd(x + 1, EVEN)
    )
    # Steps of this length keep the power of two.
    step *= EVEN
    return max(range(first, min(first + ODD * step, high + 1), step), key=lambda x: gcd(x, ODD))


def _fits(lattice: Lattice, axis: int, span: tuple[int, int], x: int) -> bool:
    """True if one size may have the value `x`."""
    return span[0] <= x <= span[1] and (x - lattice.start[axis]) % lattice.step[axis] == 0


def _best(
    lattice: Lattice,
    axis: int,
    span: tuple[int, int],
    merit: Callable[[int], object],
    random: Random,
) -> int:
    """The value with the greatest merit among neighbouring ones, which begin at random."""
    low, high = span
    step = lattice.step[axis]
    surplus = (high - low) // step + 1 - CANDIDATES
    first = low + step * random.randint(0, max(surplus, 0))
    return max(range(first, min(first + CANDIDATES * step, high + 1), step), key=merit)  # type: ignore[arg-type]

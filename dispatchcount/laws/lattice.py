"""Points with equal steps between them, and interpolation on them with exact integers (Newton's
forward differences).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import comb

from dispatchcount.laws.polynomial import Polynomial, binomial
from dispatchcount.laws.runs import Point

Index = tuple[int, ...]
"""How many steps a point is away from the start, by size."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The points ``start + step · index``."""

    start: Point
    step: Point

    def point(self, index: Index) -> Point:
        """The point at an index."""
        return tuple(x + m * k for x, m, k in zip(self.start, self.step, index, strict=True))

    def along(self, axis: int, x: int) -> Point:
        """The start with another value of one size."""
        return (*self.start[:axis], x, *self.start[axis + 1 :])

    def steps(self, point: Point) -> tuple[Fraction, ...]:
        """The index of any point. It has fractions where the point is between those of the
        lattice.
        """
        return tuple(
            Fraction(x - start, m) for x, start, m in zip(point, self.start, self.step, strict=True)
        )

    def with_axis(self, axis: int, start: int, step: int) -> Lattice:
        """The same with another start and step of one size."""
        return replace(
            self,
            start=self.along(axis, start),
            step=(*self.step[:axis], step, *self.step[axis + 1 :]),
        )


def below(index: Index) -> list[Index]:
    """The indices that are one step lower in one size."""
    return [(*index[:axis], k - 1, *index[axis + 1 :]) for axis, k in enumerate(index) if k]


def difference(index: Index, samples: dict[Index, int]) -> int:
    """The mixed forward difference of order `index` at the start.

    It is the coefficient of ``Π C(t_v, index_v)`` in Newton's form: ``Σ (−1)^|index − j| · Π
    C(index_v, j_v) · f(j)`` over all j up to `index`. For integers it is an integer.
    """
    total = 0
    for lower in product(*(range(k + 1) for k in index)):
        weight = -1 if (sum(index) - sum(lower)) % 2 else 1
        for k, j in zip(index, lower, strict=True):
            weight *= comb(k, j)
        total += weight * samples[lower]
    return total


def falling(t: Fraction | int, order: int) -> Fraction:
    """``C(t, order)`` for any rational t."""
    value = Fraction(1)
    for i in range(order):
        value *= Fraction(t - i, i + 1) if isinstance(t, int) else (t - i) / (i + 1)
    return value


class Interpolation:
    """The polynomial through the samples at a lower set of indices: with an index, all that are
    lower are in the set.
    """

    def __init__(self, lattice: Lattice, indices: Sequence[Index]) -> None:
        self.lattice = lattice
        self.indices = tuple(sorted(indices))
        self.points = [lattice.point(index) for index in self.indices]

    def weights(self, point: Point) -> Sequence[int | Fraction]:
        """What each sample counts for the value at `point`: the value is the sum of samples times
        weights.
        """
        t = self.lattice.steps(point)
        of_index: dict[Index, Fraction] = {}
        for index in self.indices:
            basis = Fraction(1)
            for steps, order in zip(t, index, strict=True):
                basis *= falling(steps, order)
            for lower in product(*(range(k + 1) for k in index)):
                sign = -1 if (sum(index) - sum(lower)) % 2 else 1
                for k, j in zip(index, lower, strict=True):
                    sign *= comb(k, j)
                of_index[lower] = of_index.get(lower, Fraction()) + sign * basis
        exact = [of_index[index] for index in self.indices]
        if all(weight.denominator == 1 for weight in exact):  # sums of ints are faster
            return [weight.numerator for weight in exact]
        return exact

    def polynomial(self, sizes: tuple[str, ...], values: Sequence[int]) -> Polynomial:
        """The polynomial in the sizes themselves that has `values` at the samples."""
        samples = dict(zip(self.indices, values, strict=True))
        total = Polynomial(sizes)
        for index in self.indices:
            coefficient = difference(index, samples)
            if coefficient:
                term = Polynomial.constant(sizes, coefficient)
                for axis, order in enumerate(index):
                    start, step = self.lattice.start[axis], self.lattice.step[axis]
                    term *= binomial(sizes, axis, start, step, order)
                total += term
        return total


def inner(weights: Sequence[int | Fraction], values: Sequence[int]) -> int | Fraction:
    """The sum of values times weights."""
    return sum(w * v for w, v in zip(weights, values, strict=True) if v)

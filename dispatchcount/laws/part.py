"""Columns that have their formulas from one interpolation, and where those hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from dispatchcount.laws.lattice import Interpolation
from dispatchcount.laws.runs import Point

PRIMARY = frozenset(("macs", "fvcore"))
"""The columns that a law is made for first. The others need not hold at as many sizes."""


@dataclass(slots=True)
class Part:
    """Columns that have their formulas from one interpolation.

    Attributes:
        columns: which.
        fit: where it was sampled.
        least: the smallest value of each size, by column.
        of_operators: the same for the rows of operators, which may need more.
        most: the largest value of a size that the code allows, and what it raises beyond, by axis.
        holes: for some columns, points inside at which they do not hold.
        operator_holes: the same for the rows of operators, where modules hold.
        checked: points that were not sampled for the fit and agree with it.
    """

    columns: set[str]
    fit: Interpolation
    least: dict[str, list[int]] = field(default_factory=dict)
    of_operators: dict[str, list[int]] = field(default_factory=dict)
    most: dict[int, tuple[int, str]] = field(default_factory=dict)
    holes: dict[str, list[dict[int, int]]] = field(default_factory=dict)
    operator_holes: dict[str, list[dict[int, int]]] = field(default_factory=dict)
    checked: list[Point] = field(default_factory=list)

    @property
    def leading(self) -> set[str]:
        """The columns that the lattice was made for."""
        return self.columns & PRIMARY or self.columns

    def inside(self, points: list[Point]) -> list[Point]:
        """Those of the points that lie on the part's lattice."""
        return [
            point
            for point in points
            if all(t.denominator == 1 for t in self.fit.lattice.steps(point))
        ]

"""The figures of all runs side by side: one series of integers for each row and column, equal
series kept once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dispatchcount.laws.observed import COLUMNS, Key, Observation
from dispatchcount.laws.runs import Point

Cell = tuple[Key, int]
"""A row's key and the place of a column in `COLUMNS`."""

_NOTHING = (0,) * len(COLUMNS)


class Sheet:
    """A table with a column for each run.

    A model of eighty equal layers has eighty times the same series. Cells with equal series in the
    same column share a *class*, so that every series is fitted and checked once. A row that a run
    lacks is 0 there.
    """

    def __init__(self) -> None:
        self.places: dict[Point, int] = {}
        self.refused: dict[Cell, str] = {}
        self.estimated: dict[Cell, str] = {}
        self._class_of: dict[Cell, int] = {}
        self._series: list[tuple[int, ...]] = []
        self._column: list[int] = []
        self._members: dict[int, list[Cell]] | None = None

    def add(self, point: Point, observation: Observation) -> None:
        """Take in a run, unless there is one at this point already."""
        if point in self.places:
            return
        for (key, column), reason in observation.refused.items():
            self.refuse([(key, COLUMNS.index(column))], reason)
        for (key, column), reason in observation.estimated.items():
            self.estimated[key, COLUMNS.index(column)] = reason

        # A cell that was 0 in all runs so far, and was therefore left out, joins with zeros.
        zeros = (0,) * len(self.places)
        known = self._class_of
        classes: dict[tuple[int, int], int] = {}
        series: list[tuple[int, ...]] = []
        columns: list[int] = []
        renewed: dict[Cell, int] = {}
        for key, row in observation.rows.items():
            for place, value in enumerate(row):
                cell = (key, place)
                if value and cell not in known and cell not in self.refused:
                    before = -1 - place
                    number = classes.setdefault((before, value), len(series))
                    if number == len(series):
                        series.append((*zeros, value))
                        columns.append(place)
                    renewed[cell] = number

        # Every other class is split by what its cells are in this run.
        for cell, before in known.items():
            value = observation.rows.get(cell[0], _NOTHING)[cell[1]]
            number = classes.setdefault((before, value), len(series))
            if number == len(series):
                series.append((*self._series[before], value))
                columns.append(cell[1])
            renewed[cell] = number
        self.places[point] = len(self.places)
        self._class_of, self._series, self._column, self._members = renewed, series, columns, None

    def refuse(self, cells: Iterable[Cell], reason: str) -> None:
        """Leave cells out from here on; the first reason is kept."""
        for cell in cells:
            self.refused.setdefault(cell, reason)
            self._class_of.pop(cell, None)
        self._members = None

    @property
    def members(self) -> dict[int, list[Cell]]:
        """For each class the cells in it. Classes whose cells are all refused are gone."""
        if self._members is None:
            self._members = {}
            for cell, number in self._class_of.items():
                self._members.setdefault(number, []).append(cell)
        return self._members

    def classes(self, columns: Collection[str]) -> list[int]:
        """The classes of some columns."""
        places = {COLUMNS.index(column) for column in columns}
        return [number for number in self.members if self._column[number] in places]

    def column(self, number: int) -> str:
        """The column of a class."""
        return COLUMNS[self._column[number]]

    def values(self, number: int, points: Iterable[Point]) -> tuple[int, ...]:
        """A class's figures at some points."""
        series = self._series[number]
        return tuple(series[self.places[point]] for point in points)

    def value(self, number: int, point: Point) -> int:
        """A class's figure at a point."""
        return self._series[number][self.places[point]]

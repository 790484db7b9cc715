"""The runs and their sheet together, and what a run does not agree with."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from dispatchcount.errors import LawError
from dispatchcount.laws.lattice import Interpolation, inner
from dispatchcount.laws.observed import COLUMNS, Observation
from dispatchcount.laws.runs import Point, Raised, Runs
from dispatchcount.laws.sheet import Cell, Sheet

FIRST_PHASES = ("forward",)

REPEATS = 3
"""So often the first run is repeated to see if it depends on anything but the sizes."""


class Samples:
    """The runs that were made, side by side."""

    def __init__(self, runs: Runs, start: Point) -> None:
        self.runs = runs
        self.sheet = Sheet()
        self.state_known = False
        first = runs.at(start)
        if isinstance(first, Raised):
            raise LawError(
                f"the run at {runs.text(start)} raised {first}; "
                "dc.law() needs sizes at which the code runs"
            ) from first.error
        self._start = start
        # A training step makes gradients and optimizer state in its first run and adds to them in
        # later ones.
        if first.phases not in ((), FIRST_PHASES):
            self._repeat(1)
        self.take(start)

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes."""
        return self.runs.sizes

    def take(self, point: Point) -> bool:
        """Run at a point unless that was done; False if the code raises there."""
        found = self.runs.at(point)
        if isinstance(found, Raised):
            return False
        self.sheet.add(point, found)
        return True

    def observation(self, point: Point) -> Observation:
        """The run at a point that was taken."""
        found = self.runs.at(point)
        assert isinstance(found, Observation)
        return found

    def known(self, point: Point) -> Observation | None:
        """The observation at a point, None if nothing was run there or the code raised."""
        found = self.runs.points.get(point)
        return found if isinstance(found, Observation) else None

    def settle(self) -> bool:
        """Run the first point again. True if the first run was not like later ones, and everything
        must be fitted anew.

        A module may do more in its first run (make state, rescale weights). Where even the later
        runs differ, the rows that differ depend on data or on state; they are refused. The code may
        do something in every second or fourth run only, as a step of an optimizer after so many
        gradients, so there are several.
        """
        if self.state_known:
            return False
        self.state_known = True
        return self._repeat(REPEATS)

    def _repeat(self, times: int) -> bool:
        """Run the first point again, so many times; see `settle`."""
        first = self.observation(self._start)
        later = [self._again() for _ in range(times)]
        if all(run.rows == first.rows for run in later):
            return False
        self.state_known = True
        second, *others = later if times > 1 else [*later, self._again()]
        refused = dict(self.sheet.refused)
        for other in others:
            for key in {**second.rows, **other.rows}:
                for place in range(len(COLUMNS)):
                    one, two = second.figure((key, place)), other.figure((key, place))
                    if one != two:
                        refused[key, place] = (
                            f"two runs at {self.runs.text(self._start)} differ in {key} ({one:,} "
                            f"and {two:,}): it depends on data or on what earlier runs left"
                        )
        # The sheet begins anew without the first run.
        self.runs.replace(self._start, second)
        self.sheet = Sheet()
        self.sheet.refused.update(refused)
        for point, found in self.runs.points.items():
            if isinstance(found, Observation):
                self.sheet.add(point, found)
        return True

    def _again(self) -> Observation:
        """One more run at the first point."""
        found = self.runs.again(self._start)
        if isinstance(found, Raised):
            raise LawError(
                f"a later run at {self.runs.text(self._start)} raised {found}; "
                "dc.law() runs the code many times, so it must be able to start over"
            ) from found.error
        return found

    def failing(
        self, fit: Interpolation, point: Point, columns: Collection[str]
    ) -> set[Cell] | None:
        """The cells of `columns` that are not what `fit` says at `point`; None if the code raises
        there.
        """
        excess = self._excess(fit, point, columns)
        return None if excess is None else set(excess)

    def failing_columns(
        self, fit: Interpolation, point: Point, columns: Collection[str]
    ) -> tuple[set[str], set[str]] | None:
        """The columns in which a module disagrees with `fit` at `point`, and those in which only
        operators do.

        With a batch of 1 or a length of 1, the same product may run as another operator
        (``aten.mm`` for ``aten.addmm``): the operators differ, and their sum in the module is the
        same. None if the code raises there.
        """
        excess = self._excess(fit, point, columns)
        if excess is None:
            return None
        by_module: dict[tuple[str, str, int], int | Fraction] = {}
        for (key, place), more in excess.items():
            group = (key.module, key.phase, place)
            by_module[group] = by_module.get(group, 0) + more
        whole = {COLUMNS[place] for (_, _, place), more in by_module.items() if more}
        return whole, {COLUMNS[place] for _, _, place in by_module} - whole

    def _excess(
        self, fit: Interpolation, point: Point, columns: Collection[str]
    ) -> dict[Cell, int | Fraction] | None:
        """How much each cell that disagrees is above what `fit` says."""
        if not self.take(point):
            return None
        weights = fit.weights(point)
        sheet, members = self.sheet, self.sheet.members
        excess: dict[Cell, int | Fraction] = {}
        for number in sheet.classes(columns):
            more = sheet.value(number, point) - inner(weights, sheet.values(number, fit.points))
            if more:
                excess.update(dict.fromkeys(members[number], more))
        return excess

    def total(self, fit: Interpolation, column: str, point: Point) -> int:
        """What `fit` says of the sum of a column at a point where nothing may have been run."""
        values = [self.observation(p).total(column) for p in fit.points]
        return int(inner(fit.weights(point), values))

    def refuse(self, cells: Collection[Cell], fit: Interpolation, point: Point, sizes: str) -> None:
        """Leave cells out of the law, and say where they differ from it."""
        weights = fit.weights(point)
        sheet = self.sheet
        for cell in cells:
            key, place = cell
            values = [self.observation(p).figure(cell) for p in fit.points]
            expected = inner(weights, values)
            got = self.observation(point).figure(cell)
            sheet.refuse(
                [cell],
                f"not a polynomial in {sizes}: {key} differs at {self.runs.text(point)} "
                f"({COLUMNS[place]} {got:,}, a law would say {int(expected):,})",
            )

"""From runs to formulas: rounds of fitting near, checking far, and finding out what a disagreement
means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from random import Random

from dispatchcount.errors import LawError
from dispatchcount.laws.ends import smallest
from dispatchcount.laws.far import apart, between, middle, together
from dispatchcount.laws.holes import agreeing, find_holes, try_native
from dispatchcount.laws.lattice import Interpolation, Lattice
from dispatchcount.laws.near import grow, probe
from dispatchcount.laws.observed import COLUMNS
from dispatchcount.laws.part import PRIMARY, Part
from dispatchcount.laws.reach import Reach
from dispatchcount.laws.runs import Point, Raised
from dispatchcount.laws.samples import REPEATS, Samples
from dispatchcount.laws.sheet import Cell
from dispatchcount.laws.steps import find_step

ATTEMPTS = 16
"""A round begins so often anew before it refuses what still disagrees."""

FEWEST = 12
"""A law of fewer runs than these is compared with more far points, until it has so many."""

FEWEST_OF_ONE_SIZE = 24
"""The same for a law in one size, whose far points try no other size."""

MORE = 2
"""So many more far points are compared where something disagreed on the way to a formula."""


class Solver:
    """Finds the parts of one law.

    Args:
        samples: the runs, the first of which is made.
        start: where to begin.
        far: for some sizes, by name, the largest value that may be run.
        native: sizes that the model itself calls those of its images; see `native.image_sizes`.
        liked: numbers that the model is made of; see `native.widths`.
    """

    def __init__(
        self,
        samples: Samples,
        start: Point,
        far: Mapping[str, int],
        native: Collection[int] = (),
        liked: Collection[int] = (),
    ) -> None:
        self._samples = samples
        self._native = sorted(native)
        self._liked = liked
        self._reach = Reach(samples, start, far)
        self._lattice = Lattice(start, (1,) * len(start))
        self._moved = False
        self._troubled = False
        self._careful: set[int] = set()
        self._suspects: set[Cell] = set()
        self._fewest = FEWEST_OF_ONE_SIZE if len(start) == 1 else FEWEST

    def solve(self) -> list[Part]:
        """The parts; every column is in one of them."""
        parts: list[Part] = []
        columns = set(COLUMNS)
        while columns:
            part = self._round(columns)
            parts.append(part)
            columns -= part.columns
        return parts

    def _round(self, columns: set[str]) -> Part:
        """Formulas for as many of `columns` as one lattice serves; the first ones decide which
        lattice.
        """
        leading = columns & PRIMARY or columns
        self._moved = False
        for attempt in range(ATTEMPTS):
            self._troubled = self._troubled or attempt > 0
            fit, columns = self._near(leading, columns)
            if fit is None:
                continue
            points = self._far_points(fit)
            wrong = self._wrong(fit, points, columns)
            if wrong is None:
                continue
            bad = {COLUMNS[place] for cells in wrong.values() for _, place in cells}
            last = attempt == ATTEMPTS - 1
            self._suspects = {c for w in wrong.values() for c in w if COLUMNS[c[1]] in leading}
            if bad & leading and self._explain(fit, leading, wrong, last=last):
                continue
            part = Part(columns - (bad - leading), fit, most=dict(self._reach.ends))
            if self._settled(part, points[0]):
                return part
        if not self._suspects - set(self._samples.sheet.refused):
            raise LawError(
                "no law was found: the code costs something else at the same sizes from run to "
                f"run, or is no polynomial in {', '.join(self._samples.sizes)}"
            )
        # What still disagrees goes, and the other rows begin once more.
        reason = f"not a polynomial in {', '.join(self._samples.sizes)}, as far as could be found"
        self._samples.sheet.refuse(self._suspects, reason)
        return self._round(columns)

    def _settled(self, part: Part, far: Point) -> bool:
        """Find out where the formulas of a part hold. False if the first run was not like later
        ones, so that they must be made anew.
        """
        samples, lattice = self._samples, part.fit.lattice
        part.least, part.of_operators = smallest(samples, part.fit, part.columns, far)
        first = [(x - 1) % step + 1 for x, step in zip(lattice.start, lattice.step, strict=True)]
        # Where small sizes differ, or runs are left, the first run is repeated: code that leaves
        # something behind, or that follows a random number, costs something else.
        narrow = any(part.least[column] != first for column in part.columns & PRIMARY)
        if (narrow or samples.runs.made + REPEATS <= self._fewest) and samples.settle():
            return False
        try_native(samples, part, self._native)
        for column, points in find_holes(samples, part, self._native).items():
            for point in points:
                cells = samples.failing(part.fit, point, {column})
                assert cells is not None
                samples.refuse(cells, part.fit, point, ", ".join(samples.sizes))
            del part.holes[column]
        part.checked = agreeing(samples, part)
        return True

    def _near(self, leading: set[str], columns: set[str]) -> tuple[Interpolation | None, set[str]]:
        """An interpolation of the runs around the start; None if the lattice had to change.

        Columns that the lattice does not serve, and that do not lead, wait for a round of their
        own.
        """
        degrees = []
        for axis in range(len(self._lattice.start)):
            careful = axis in self._careful
            steps = partial(self._middle, axis) if len(self._lattice.start) == 1 else None
            found = probe(self._samples, self._lattice, axis, columns, steps, careful=careful)
            bad = {COLUMNS[place] for _, place in found.rough}
            if found.raised or bad & leading:
                if self._samples.settle():
                    return None, columns
                rough = {cell for cell in found.rough if COLUMNS[cell[1]] in leading}
                self._suspects = rough
                self._change_step(axis, leading, rough)
                return None, columns
            if bad:
                columns = columns - bad
                found = probe(self._samples, self._lattice, axis, columns, steps, careful=careful)
            degrees.append(found.degree)
        indices = grow(self._samples, self._lattice, degrees, columns)
        if indices is None:
            raise LawError(
                "the code runs at each size next to "
                f"{self._samples.runs.text(self._lattice.start)}, "
                "but not at all of them together; make the first sizes smaller"
            )
        return Interpolation(self._lattice, indices), columns

    def _middle(self, axis: int) -> int:
        """The steps along one size to a point in the middle between near and far."""
        most = self._reach.allowed(self._lattice, axis)
        return middle(self._lattice, axis, most, Random(f"{self._samples.sizes} {axis}"))

    def _change_step(self, axis: int, leading: set[str], rough: set[Cell]) -> bool:
        """Find the step of one size, or refuse the cells that have none. True if the lattice
        changed.
        """
        size = self._samples.sizes[axis]
        start, step = self._lattice.start[axis], self._lattice.step[axis]
        found = find_step(
            self._samples,
            self._lattice,
            axis,
            leading,
            rough,
            self._reach.allowed(self._lattice, axis),
            [m for m in self._lattice.step if m > 1],
        )
        if found is None:
            self._no_step(axis, rough)
            return False
        hopeless = rough if rough and rough <= found.hopeless else found.hopeless
        if hopeless:
            self._samples.refuse(hopeless, found.fit, found.point, size)
        changed = (found.start, found.step) != (start, step)
        if not changed and not hopeless:
            reason = f"not a polynomial in {size} around {size} = {start}"
            self._samples.sheet.refuse(rough, reason)
        self._lattice = self._lattice.with_axis(axis, found.start, found.step)
        return changed

    def _no_step(self, axis: int, rough: set[Cell]) -> None:
        """No other size could be run. Rows that disagree are refused; without any, the size itself
        cannot vary.
        """
        size, start = self._samples.sizes[axis], self._lattice.start[axis]
        if rough:
            most = self._reach.allowed(self._lattice, axis)
            reason = (
                f"not a polynomial in {size} close to {size} = {start}, and larger sizes "
                f"than {most:,} may not be tried (far={{{size!r}: …}} allows them)"
            )
            self._samples.sheet.refuse(rough, reason)
            return
        raised = next(
            (
                found
                for point, found in self._samples.runs.points.items()
                if isinstance(found, Raised) and point[axis] != start
            ),
            "an error",
        )
        raise LawError(
            f"{size} cannot vary: every other value that was tried than {start} raised, the first "
            f"{raised}. "
            f"Leave {size} out of the sizes and fix it inside the code."
        )

    def _far_points(self, fit: Interpolation) -> list[Point]:
        """The points that the formulas are compared with: see `far`. They are the same whenever the
        law is made again.
        """
        lattice = fit.lattice
        random = Random(f"{self._samples.sizes} {lattice}")
        most = [self._reach.allowed(lattice, axis) for axis in range(len(lattice.start))]
        # Two points follow here, and later one for each size at its smallest, one for a size that
        # is special there, and one for all of them at their smallest.
        spare = self._fewest - self._samples.runs.made - 2 - len(most) - 2
        more = MORE if self._troubled else spare - REPEATS if spare > REPEATS else spare
        points: list[Point] = []

        def add(place: Callable[[int], Point]) -> None:
            points.append(self._reach.affordable(fit, place))

        one, two = random.random(), random.random()
        add(lambda halvings: together(lattice, most, self._liked, halvings, Random(one)))
        add(lambda halvings: apart(lattice, most, halvings, Random(two)))
        known = list(self._samples.sheet.places)
        for _ in range(more):
            add(lambda halvings: between(lattice, most, [*known, *points], halvings, random))
        return points

    def _wrong(
        self, fit: Interpolation, points: list[Point], columns: set[str]
    ) -> dict[Point, set[Cell]] | None:
        """The cells that disagree at the far points; None if the code does not allow one, which
        then is known.
        """
        wrong: dict[Point, set[Cell]] = {}
        for point in points:
            found = self._samples.failing(fit, point, columns)
            if found is None:
                self._reach.find_end(fit.lattice, point)
                return None
            if found:
                wrong[point] = found
        return wrong

    def _explain(
        self, fit: Interpolation, leading: set[str], wrong: dict[Point, set[Cell]], *, last: bool
    ) -> bool:
        """Find out why far points disagree, and mend it. True if everything must be fitted anew."""
        # The first run may not have been like the later ones.
        if self._samples.settle():
            return True
        cells = {c for found in wrong.values() for c in found if COLUMNS[c[1]] in leading}
        point = next(iter(wrong))
        if not last:
            # One size alone: a higher degree than it looked, a residue class, or a law that begins
            # later.
            for axis, x in enumerate(point):
                alone = self._samples.failing(fit, fit.lattice.along(axis, x), leading)
                if alone and axis not in self._careful:
                    self._careful.add(axis)
                    return True
                if alone:
                    self._change_step(axis, leading, alone)
                    return True
            # Only all together: the law may begin later in their sum.
            if not self._moved:
                self._moved = True
                self._lattice = Lattice(point, fit.lattice.step)
                return True
        for place, found in wrong.items():
            mine = {cell for cell in found & cells if cell not in self._samples.sheet.refused}
            self._samples.refuse(mine, fit, place, ", ".join(self._samples.sizes))
        return False

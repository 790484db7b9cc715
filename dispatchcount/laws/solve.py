"""From runs to formulas: rounds of fitting near, checking far, and finding out what a disagreement
means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from dispatchcount.errors import LawError
from dispatchcount.laws.budget import Budget
from dispatchcount.laws.ends import largest, smallest
from dispatchcount.laws.lattice import Interpolation, Lattice
from dispatchcount.laws.near import grow, probe
from dispatchcount.laws.observed import COLUMNS
from dispatchcount.laws.runs import Point, Raised
from dispatchcount.laws.samples import Samples
from dispatchcount.laws.sheet import Cell
from dispatchcount.laws.steps import find_step

PRIMARY = frozenset(("macs", "fvcore"))
"""The columns that a law is made for first. The others need not hold at as many sizes."""

FEW = 3
"""So many single points may be left out of a domain."""

ATTEMPTS = 16
"""A round begins so often anew before it refuses what still disagrees."""


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


class Solver:
    """Finds the parts of one law.

    Args:
        samples: the runs, the first of which is made.
        start: where to begin.
        far: for some sizes, by name, the largest value that may be run.
        native: sizes that the model itself calls those of its images; see `native.image_sizes`.
    """

    def __init__(
        self, samples: Samples, start: Point, far: Mapping[str, int], native: Collection[int] = ()
    ) -> None:
        self._samples = samples
        self._far = far
        self._native = sorted(native)
        self._budget = Budget.of(samples.observation(start))
        self._most: dict[int, tuple[int, str]] = {}
        self._lattice = Lattice(start, (1,) * len(start))
        self._moved = False
        self._shrink = 0
        self._careful: set[int] = set()

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
            fit, columns = self._near(leading, columns)
            if fit is None:
                continue
            points = self._far_points(fit)
            wrong = self._wrong(fit, points, columns)
            if wrong is None:
                continue
            bad = {COLUMNS[place] for cells in wrong.values() for _, place in cells}
            last = attempt == ATTEMPTS - 1
            if bad & leading and self._explain(fit, leading, wrong, last=last):
                continue
            columns = columns - (bad - leading)
            part = Part(columns, fit, most=dict(self._most))
            part.least, part.of_operators = smallest(self._samples, fit, columns, points[0])
            self._find_holes(part)
            part.checked = self._agreeing(part)
            return part
        raise LawError(
            "no law was found: the code costs something else at the same sizes from run to run, "
            "or is no polynomial "
            f"in {', '.join(self._samples.sizes)}"
        )

    def _near(self, leading: set[str], columns: set[str]) -> tuple[Interpolation | None, set[str]]:
        """An interpolation of the runs around the start; None if the lattice had to change.

        Columns that the lattice does not serve, and that do not lead, wait for a round of their
        own.
        """
        degrees = []
        for axis in range(len(self._lattice.start)):
            careful = axis in self._careful
            found = probe(self._samples, self._lattice, axis, columns, careful=careful)
            bad = {COLUMNS[place] for _, place in found.rough}
            if found.raised or bad & leading:
                if self._samples.settle():
                    return None, columns
                rough = {cell for cell in found.rough if COLUMNS[cell[1]] in leading}
                self._change_step(axis, leading, rough)
                return None, columns
            if bad:
                columns = columns - bad
                found = probe(self._samples, self._lattice, axis, columns, careful=careful)
            degrees.append(found.degree)
        indices = grow(self._samples, self._lattice, degrees, columns)
        if indices is None:
            raise LawError(
                "the code runs at each size next to "
                f"{self._samples.runs.text(self._lattice.start)}, "
                "but not at all of them together; make the first sizes smaller"
            )
        return Interpolation(self._lattice, indices), columns

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
            self._allowed(axis),
            [m for m in self._lattice.step if m > 1],
        )
        if found is None:
            self._no_step(axis, rough)
            return False
        hopeless = rough if rough and rough <= found.hopeless else found.hopeless
        if hopeless:
            self._samples.refuse(hopeless, found.fit, found.point, size)
        changed = (found.start, found.step) != (start, step)
        self._lattice = self._lattice.with_axis(axis, found.start, found.step)
        return changed

    def _no_step(self, axis: int, rough: set[Cell]) -> None:
        """No other size could be run. Rows that disagree are refused; without any, the size itself
        cannot vary.
        """
        size, start = self._samples.sizes[axis], self._lattice.start[axis]
        if rough:
            reason = (
                f"not a polynomial in {size} close to {size} = {start}, and larger sizes "
                f"than {self._allowed(axis):,} may not be tried (far={{{size!r}: …}} allows them)"
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

    def _allowed(self, axis: int) -> int:
        """The largest value of one size that may be run while no formula is known."""
        most = self._far.get(self._samples.sizes[axis])
        if most is None:
            start = self._lattice.start
            first = self._samples.observation(start)
            most = self._budget.most(first, start[axis], self._slope(axis))
        end = self._most.get(axis)
        return most if end is None else min(most, end[0])

    def _slope(self, axis: int) -> int:
        """Operator calls that are added when one size grows by 1, at least.

        The neighbours of the start tell of a loop. They also differ in padding and the like, so
        steps that are sixteen times as long follow, as far as the calls allow.
        """
        samples, start = self._samples, self._lattice.start
        first = samples.observation(start)
        away, slope = self._lattice.step[axis], 0
        for _ in range(4):
            point = self._lattice.along(axis, start[axis] + away)
            if not samples.take(point):
                break
            more = samples.observation(point).total("calls") - first.total("calls")
            slope = max(0, -(-more // away))
            away *= 16
            if not slope or away > self._budget.allows_calls(first, slope):
                break
        return slope

    def _far_points(self, fit: Interpolation) -> list[Point]:
        """Two random points far from the start on the lattice, the second as far as a run may
        be.
        """
        points = []
        random = Random(f"{self._samples.sizes} {fit.lattice}")  # the same law from run to run
        for near, most in ((700, 1500), (20_000, 130_000)):
            point = []
            for axis, (start, step) in enumerate(
                zip(fit.lattice.start, fit.lattice.step, strict=True)
            ):
                allowed = self._allowed(axis)
                away = random.randint(near, most)
                steps = max(away // step, random.randint(5, 9))
                if start + steps * step > allowed:
                    high = max((allowed - start) // step, 0)
                    steps = random.randint(high - high // 3, high)
                point.append(start + steps * step)
            # What the machine could not do is not tried again: it says nothing of the model.
            nearer = tuple(point)
            for _ in range(self._shrink):
                nearer = _halfway(fit.lattice, nearer)
            points.append(self._affordable(fit, nearer))
        return points

    def _affordable(self, fit: Interpolation, point: Point) -> Point:
        """`point`, moved towards the start until what the fit says of its cost is within the
        budget.
        """
        lattice = fit.lattice
        while point != lattice.start:
            cost = (
                self._samples.total(fit, column, point)
                for column in ("macs", "bytes_written", "calls")
            )
            if self._budget.allows(*cost):
                break
            point = _halfway(lattice, point)
        return point

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
                self._find_end(fit.lattice, point)
                return None
            if found:
                wrong[point] = found
        return wrong

    def _find_end(self, lattice: Lattice, point: Point) -> None:
        """The code raises at `point`: find out in which size, and how large that may be."""
        found = self._samples.runs.at(point)
        if isinstance(found, Raised) and found.too_large:
            self._shrink = self._shrink + 1
            return
        alone = [
            axis
            for axis, x in enumerate(point)
            if x != lattice.start[axis] and not self._samples.take(lattice.along(axis, x))
        ]
        for axis in alone:
            self._most[axis] = largest(self._samples, lattice, axis, point[axis])
        if alone:
            return
        # The sizes are too large only together, such as a prompt and the tokens after it: all go
        # half the way back.
        raised = self._samples.runs.at(point)
        for axis, x in enumerate(_halfway(lattice, point)):
            self._most[axis] = x, f"{self._samples.runs.text(point)} raised {raised}"

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

    def _try_native(self, lattice: Lattice) -> None:
        """Run at the image size that the model was made for: there it may leave a resampling
        out.
        """
        for native in self._native:
            inside = {
                axis
                for axis, (start, step) in enumerate(zip(lattice.start, lattice.step, strict=True))
                if step > 1 and (native - start) % step == 0
            }
            if inside:
                self._samples.take(
                    tuple(native if a in inside else x for a, x in enumerate(lattice.start))
                )

    def _find_holes(self, part: Part) -> None:
        """Hold every run inside the domain against the law. What disagrees is a point that is left
        out.

        More than a few such points say that the law begins later: then it begins where it was
        sampled.
        """
        lattice = part.fit.lattice
        self._try_native(lattice)
        residues = [axis for axis, step in enumerate(lattice.step) if step > 1]
        for again in (True, False):
            part.holes, part.operator_holes = {}, {}
            for point in self._inside(part):
                wrong = self._samples.failing_columns(part.fit, point, part.columns)
                assert wrong is not None
                in_modules, in_operators = wrong
                axes = residues or [a for a, x in enumerate(point) if x != lattice.start[a]]
                hole = {axis: point[axis] for axis in axes}
                for column in in_operators:
                    if not _above(point, lattice.start):
                        part.of_operators[column] = list(lattice.start)
                    elif hole not in part.operator_holes.setdefault(column, []):
                        part.operator_holes[column].append(hole)
                for column in in_modules:
                    holes = part.holes.setdefault(column, [])
                    if _above(point, part.least[column]) and hole not in holes:
                        holes.append(hole)
            crowded = [column for column, holes in part.holes.items() if len(holes) > FEW]
            if not (crowded and again):
                break
            for column in crowded:
                part.least[column] = part.of_operators[column] = list(lattice.start)

    def _inside(self, part: Part) -> list[Point]:
        """The points that were run and lie on the part's lattice."""
        return [
            point
            for point in self._samples.sheet.places
            if all(t.denominator == 1 for t in part.fit.lattice.steps(point))
        ]

    def _agreeing(self, part: Part) -> list[Point]:
        """The points that were run, were not sampled for the fit, and agree with the leading
        columns of the part.
        """
        leading = part.columns & PRIMARY or part.columns
        fitted = set(part.fit.points)
        return [
            point
            for point in self._inside(part)
            if point not in fitted and not self._samples.failing(part.fit, point, leading)
        ]


def _above(point: Point, least: Sequence[int]) -> bool:
    """True if every size is at its smallest value or above."""
    return all(x >= low for x, low in zip(point, least, strict=True))


def _halfway(lattice: Lattice, point: Point) -> Point:
    """The point of the lattice in the middle between the start and `point`."""
    return tuple(
        start + (x - start) // step // 2 * step
        for x, start, step in zip(point, lattice.start, lattice.step, strict=True)
    )

"""How far from the start the code may be run: what it allows, and what a run may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

from dispatchcount.laws.budget import Budget
from dispatchcount.laws.ends import largest
from dispatchcount.laws.lattice import Interpolation, Lattice
from dispatchcount.laws.runs import Point, Raised
from dispatchcount.laws.samples import Samples


class Reach:
    """The largest sizes, as far as they are known.

    Args:
        samples: the runs.
        start: the first of them.
        far: for some sizes, by name, the largest value that may be run.

    Attributes:
        ends: the largest value of a size that the code allows, and what it raises beyond, by axis.
    """

    def __init__(self, samples: Samples, start: Point, far: Mapping[str, int]) -> None:
        self._samples = samples
        self._far = far
        self._budget = Budget.of(samples.observation(start))
        self._halvings = 0
        self.ends: dict[int, tuple[int, str]] = {}

    def allowed(self, lattice: Lattice, axis: int) -> int:
        """The largest value of one size that may be run while no formula is known."""
        most = self._far.get(self._samples.sizes[axis])
        if most is None:
            first = self._samples.observation(lattice.start)
            most = self._budget.most(first, lattice.start[axis], self._slope(lattice, axis))
        end = self.ends.get(axis)
        # The last size that the code allows may be special: what slices all of its positions is a
        # view of them.
        return most if end is None else min(most, end[0] - lattice.step[axis])

    def _slope(self, lattice: Lattice, axis: int) -> int:
        """Operator calls that are added when one size grows by 1, at least.

        The neighbours of the start tell of a loop. They also differ in padding and the like, so
        steps that are sixteen times as long follow, as far as the calls allow. They are left out
        where the second neighbour is known and adds as many calls as the first.
        """
        samples, start, step = self._samples, lattice.start, lattice.step[axis]
        calls = samples.observation(start).total("calls")
        away, slope = step, 0
        for _ in range(4):
            point = lattice.along(axis, start[axis] + away)
            if not samples.take(point):
                break
            more = samples.observation(point).total("calls") - calls
            slope = max(0, -(-more // away))
            second = samples.known(lattice.along(axis, start[axis] + 2 * away))
            if second is not None and second.total("calls") - calls == 2 * more:
                break
            away *= 16
            if not slope or away > self._budget.allows_calls(samples.observation(start), slope):
                break
        return slope

    def affordable(self, fit: Interpolation, place: Callable[[int], Point]) -> Point:
        """A point whose cost, by what the fit says of it, is within the budget.

        Args:
            fit: the formulas.
            place: the point wanted, when its distance to the start is halved so many times.
        """
        for halvings in count(self._halvings):
            point = place(halvings)
            cost = (
                self._samples.total(fit, column, point)
                for column in ("macs", "bytes_written", "calls")
            )
            if point == fit.lattice.start or self._budget.allows(*cost):
                return point
        raise AssertionError("a distance that is halved for ever is 0")

    def find_end(self, lattice: Lattice, point: Point) -> None:
        """The code raises at `point`: find out in which size, and how large that may be."""
        found = self._samples.runs.at(point)
        # What the machine could not do says nothing of the model: all points come nearer.
        if isinstance(found, Raised) and found.too_large:
            self._halvings += 1
            return
        alone = [
            axis
            for axis, x in enumerate(point)
            if x != lattice.start[axis] and not self._samples.take(lattice.along(axis, x))
        ]
        for axis in alone:
            self.ends[axis] = largest(self._samples, lattice, axis, point[axis])
        if alone:
            return
        # The sizes are too large only together, such as a prompt and the tokens after it: all go
        # half the way back.
        for axis, (x, start, step) in enumerate(
            zip(point, lattice.start, lattice.step, strict=True)
        ):
            nearer = start + (x - start) // step // 2 * step
            self.ends[axis] = nearer, f"{self._samples.runs.text(point)} raised {found}"

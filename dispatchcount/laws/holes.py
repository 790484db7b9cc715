"""Single points inside the domain at which a formula does not hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dispatchcount.laws.part import Part
from dispatchcount.laws.runs import Point
from dispatchcount.laws.samples import Samples


def try_native(samples: Samples, part: Part, native: Collection[int]) -> None:
    """Run at the image size that the model was made for: there it may leave a resampling out."""
    lattice = part.fit.lattice
    for size in native:
        inside = {
            axis
            for axis, (start, step) in enumerate(zip(lattice.start, lattice.step, strict=True))
            if step > 1 and (size - start) % step == 0
        }
        if inside:
            samples.take(tuple(size if a in inside else x for a, x in enumerate(lattice.start)))


def find_holes(samples: Samples, part: Part, native: Collection[int]) -> dict[str, list[Point]]:
    """Hold every run inside the domain against the formulas of a part.

    Only the model's own image size and the largest size that it allows are single points that are
    left out. Where any other one disagrees, the formulas begin later, where they were sampled; if
    that does not help they are wrong, for at a size that was taken at random nothing is special.

    Returns:
        For some columns the points at which they are wrong.
    """
    lattice = part.fit.lattice
    special = {*native, *(most for most, _ in part.most.values())}
    residues = [axis for axis, step in enumerate(lattice.step) if step > 1]
    for again in (True, False):
        part.holes, part.operator_holes = {}, {}
        points: dict[str, list[Point]] = {}
        for point in part.inside(list(samples.sheet.places)):
            wrong = samples.failing_columns(part.fit, point, part.columns)
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
                if _above(point, part.least[column]):
                    points.setdefault(column, []).append(point)
                    if hole not in part.holes.setdefault(column, []):
                        part.holes[column].append(hole)
        failing = {
            column: points[column]
            for column, holes in part.holes.items()
            if any(not special & set(hole.values()) for hole in holes)
        }
        if not (failing and again):
            break
        for column in failing:
            part.least[column] = part.of_operators[column] = list(lattice.start)
    return failing


def agreeing(samples: Samples, part: Part) -> list[Point]:
    """The points that were run, were not sampled for the fit, and agree with the leading columns of
    a part.
    """
    fitted = set(part.fit.points)
    return [
        point
        for point in part.inside(list(samples.sheet.places))
        if point not in fitted and not samples.failing(part.fit, point, part.leading)
    ]


def _above(point: Point, least: Sequence[int]) -> bool:
    """True if every size is at its smallest value or above."""
    return all(x >= low for x, low in zip(point, least, strict=True))

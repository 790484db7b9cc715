"""The sizes a law holds for: a residue class and bounds for each size, and single points that are
left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """The allowed values of one size: from `least` on in steps of `step`, up to `most`.

    Attributes:
        size: the name.
        least: the smallest value.
        step: from one value to the next; 1 for every integer.
        most: the largest value that is allowed; None where no end was met.
        end: why nothing lies beyond `most`; ``""`` without one.
    """

    size: str
    least: int = 1
    step: int = 1
    most: int | None = None
    end: str = ""

    def __contains__(self, x: int) -> bool:
        return (
            x >= self.least
            and (x - self.least) % self.step == 0
            and (self.most is None or x <= self.most)
        )

    def implies(self, other: Range) -> bool:
        """True if every value of this range is one of `other` as well."""
        return (
            self.least in other
            and self.step % other.step == 0
            and (other.most is None or (self.most is not None and self.most <= other.most))
        )

    def reason(self, x: int) -> str:
        """Why a value outside is not allowed."""
        if (x - self.least) % self.step:
            near = self.least + (x - self.least) // self.step * self.step
            examples = [value for value in (near, near + self.step) if value in self]
            shown = ", ".join(map(str, examples or [self.least]))
            return (
                f"{self.size} = {x}: this law holds for {self} ({shown}, …); "
                f"dc.law(…, {self.size}={x}) makes the one for {self.size} ≡ {x % self.step} mod "
                f"{self.step}"
            )
        if self.most is not None and x > self.most:
            return f"{self.size} = {x}: this law holds for {self}" + (
                f"; {self.end}" if self.end else ""
            )
        asked = f"dc.law(…, {self.size}={max(x, 1)})"
        return f"{self.size} = {x}: this law holds for {self}; {asked} begins there"

    def __str__(self) -> str:
        parts = []
        if self.step > 1:
            parts.append(f"{self.size} ≡ {self.least % self.step} mod {self.step}")
        # The class alone says where a law begins, if that is the first positive size of the class.
        if self.step == 1 or self.least > self.step:
            parts.append(f"{self.size} ≥ {self.least}")
        if self.most is not None:
            parts.append(f"{self.size} ≤ {self.most}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Domain:
    """A range for each size, and points that are left out.

    Attributes:
        ranges: all of them must hold. There may be several for one size.
        holes: sizes at which the law does not hold although they are in the ranges, as pairs of
            name and value.
    """

    ranges: tuple[Range, ...]
    holes: tuple[tuple[tuple[str, int], ...], ...] = ()

    def reason(self, point: Mapping[str, int]) -> str:
        """Why a point is outside, ``""`` for one that is inside."""
        for range_ in self.ranges:
            if point[range_.size] not in range_:
                return range_.reason(point[range_.size])
        for hole in self.holes:
            if all(point[size] == value for size, value in hole):
                shown = ", ".join(f"{size} = {value}" for size, value in hole)
                return (
                    f"{shown}: the model does something else at exactly this size; "
                    "dc.profile() counts it"
                )
        return ""

    def __and__(self, other: Domain) -> Domain:
        """The points that are in both."""
        kept: list[Range] = []
        for range_ in (*self.ranges, *other.ranges):
            mine = [r for r in kept if r.size == range_.size]
            if any(r.implies(range_) for r in mine):
                continue
            kept = [r for r in kept if r.size != range_.size or not range_.implies(r)]
            kept.append(range_)
        holes = dict.fromkeys((*self.holes, *other.holes))
        return Domain(tuple(kept), tuple(holes))

    def holds(self, sizes: Iterable[str]) -> dict[str, str]:
        """The conditions as text, by size."""
        return {
            size: ", ".join(dict.fromkeys(str(r) for r in self.ranges if r.size == size))
            for size in sizes
        }

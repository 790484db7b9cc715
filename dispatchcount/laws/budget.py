"""How far from the start a run may be: what the user allows, and what a run may cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from dispatchcount.laws.observed import Observation

FARTHEST = 2_000_000
"""No size is taken beyond it: products of several such sizes leave 64 bits."""

FARTHEST_MIXED = 20_000
"""The same for a model on meta that makes some tensors elsewhere. A mask of so many rows and
columns takes 400 MB there.
"""

CALLS = 10_000
"""Operator calls of one run: a loop in Python that makes more takes seconds."""

MACS = 5 * 10**9
"""MACs of one run where tensors hold numbers: a second or less of one processor core's work."""

BYTES = 2**31
"""Bytes written by one run where tensors hold numbers. Fewer are alive at once."""

BYTES_ON_META = 2**58
"""Bytes written by one run on meta, where they are only a number that must stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may cost, from what the first one did.

    Attributes:
        free: True where tensors hold no numbers (meta), so that only operator calls take time.
        farthest: the largest value of any size.
        macs, bytes_written, calls: of the most expensive run that is allowed.
    """

    free: bool
    farthest: int
    macs: int
    bytes_written: int
    calls: int

    @classmethod
    def of(cls, first: Observation) -> Budget:
        """The budget for a model whose first run is known. Ten times that run is always allowed."""
        free = "meta" in first.devices or not first.devices
        mixed = free and len(first.devices) > 1
        return cls(
            free,
            FARTHEST_MIXED if mixed else FARTHEST,
            max(MACS, 10 * first.total("macs")),
            BYTES_ON_META if free else max(BYTES, 10 * first.total("bytes_written")),
            max(CALLS, 4 * first.total("calls")),
        )

    def allows(self, macs: int, bytes_written: int, calls: int) -> bool:
        """True if a run that does this much may be made."""
        return (
            (self.free or macs <= self.macs)
            and bytes_written <= self.bytes_written
            and calls <= self.calls
        )

    def allows_calls(self, first: Observation, slope: int) -> int:
        """So far may one size grow if each step adds `slope` operator calls."""
        return (self.calls - first.total("calls")) // slope if slope > 0 else self.farthest

    def most(self, first: Observation, start: int, slope: int) -> int:
        """The largest value of one size that may be tried while no formula is known yet.

        Args:
            first: the run at the start.
            start: the size there.
            slope: operator calls that are added when the size grows by 1; a loop in Python has
                some.
        """
        most = min(self.farthest, start + self.allows_calls(first, slope))
        if not self.free:
            # Costs grow with the square of a size at most: attention, images whose sides grow
            # together.
            for budget, cost in (
                (self.macs, first.total("macs")),
                (self.bytes_written, first.total("bytes_written")),
            ):
                if cost:
                    most = min(most, start * isqrt(100 * budget // cost) // 10)
        return most

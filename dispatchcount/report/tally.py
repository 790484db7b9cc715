"""Sums of costs while a view is being computed. Mutable on purpose: a view adds up to hundreds of thousands of entries."""

from __future__ import annotations

from dispatchcount.report.conventions import Convention
from dispatchcount.report.rows import Entry, Stats
from dispatchcount.rules.core.cost import Cost


class Tally:
    """A running sum of costs, calls and time."""

    __slots__ = (
        "activations",
        "arithmetic",
        "bytes_read",
        "bytes_written",
        "calls",
        "estimate",
        "estimate_elementwise",
        "fvcore",
        "macs",
        "time_ns",
        "transcendentals",
    )

    def __init__(self) -> None:
        self.macs = self.arithmetic = self.transcendentals = self.activations = self.fvcore = 0
        self.bytes_read = self.bytes_written = self.calls = self.time_ns = 0
        self.estimate = self.estimate_elementwise = False

    def add_cost(self, cost: Cost, times: int = 1) -> None:
        """Add a cost, so many times over, without a call."""
        self.macs += cost.macs * times
        self.arithmetic += cost.arithmetic * times
        self.transcendentals += cost.transcendentals * times
        self.activations += cost.activations * times
        self.fvcore += cost.fvcore * times
        self.bytes_read += (cost.bytes_read or 0) * times
        self.bytes_written += (cost.bytes_written or 0) * times
        if cost.estimate:
            self.estimate |= bool(cost.macs or cost.fvcore)
            self.estimate_elementwise |= bool(cost.arithmetic or cost.transcendentals)

    def add_entry(self, entry: Entry) -> None:
        """Add an entry's cost and time, without its calls (what a call is differs between views)."""
        self.add_cost(entry.cost)
        self.time_ns += entry.time_ns

    def add(self, other: Tally) -> None:
        """Add another sum, without its calls."""
        self.macs += other.macs
        self.arithmetic += other.arithmetic
        self.transcendentals += other.transcendentals
        self.activations += other.activations
        self.fvcore += other.fvcore
        self.bytes_read += other.bytes_read
        self.bytes_written += other.bytes_written
        self.time_ns += other.time_ns
        self.estimate |= other.estimate
        self.estimate_elementwise |= other.estimate_elementwise

    def stats(
        self, convention: Convention, *, params: int = 0, self_: Stats | None = None
    ) -> Stats:
        """The sum as a row under `convention`."""
        return Stats(
            convention.flops(self.macs, self.fvcore, self.arithmetic, self.transcendentals),
            self.macs,
            self.arithmetic,
            self.transcendentals,
            self.activations,
            params,
            self.bytes_read,
            self.bytes_written,
            self.calls,
            self.time_ns,
            self.estimate or (self.estimate_elementwise and convention.elementwise),
            self.estimate_elementwise,
            self_,
        )

    def cost(self) -> Cost:
        """The sum as a cost with bytes set."""
        return Cost(
            self.macs,
            self.arithmetic,
            self.transcendentals,
            self.activations,
            self.fvcore,
            self.bytes_read,
            self.bytes_written,
            self.estimate or self.estimate_elementwise,
        )

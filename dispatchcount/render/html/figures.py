"""Figures as the pages get them: each distinct line of figures once, and rows that name a line.

A page shows several runs of many modules, and equal modules have equal figures. So the page's data
holds a table of distinct lines; what an operator did in a module in a run is the number of a line.

Parameters and memory belong to a module, however often it ran. They are no part of a line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Any

from dispatchcount.report.metrics import CONDENSED, KNOWN_OF, Metric, Stats
from dispatchcount.report.rows import MEMORY_KINDS, ModuleMemory

_EXACT_IN_JAVASCRIPT = 2**53 - 1

METRICS = sorted(
    (metric for metric in CONDENSED if metric.key != "calls"),
    key=lambda metric: (metric.measured, metric.elementwise),
)
"""The figures that the page can size areas by. Calls, of which areas say little, have a column."""

_KINDS = {"bytes": "bytes", "nanoseconds": "time"}
"""How the page's script writes numbers of a unit; those of all others are counts."""

_MEMORY = {
    "parameters": "Bytes of its parameters",
    "gradients": "Bytes of the gradients of its parameters",
    "optimizer": "Bytes of the optimizer's state for its parameters",
    "saved": "Bytes that autograd held for backward because of it, the most at once",
}


def for_script(value: int) -> int | str:
    """An integer for the page: itself, or its digits where JavaScript could not hold it exactly."""
    return value if -_EXACT_IN_JAVASCRIPT <= value <= _EXACT_IN_JAVASCRIPT else str(value)


def described(metric: Metric) -> dict[str, Any]:
    """What the page's script has to know of a metric."""
    return {
        "key": metric.key,
        "label": metric.title,
        "kind": _KINDS.get(metric.unit, "count"),
        "help": f"{metric.help}.",
        "estimable": metric.estimable,
        "elementwise": metric.elementwise,
        "additive": metric.additive,
    }


class Figures:
    """The distinct lines of figures of one page.

    Args:
        totals: the totals of the blocks that the page shows. A metric that tells nothing in any of
            them is left out, except flops.
        memory: True if the page shows memory.
        metrics: those that the page may show.

    Attributes:
        metrics: those that the page shows.
        keys: what each place of a line holds.
        held_keys: what belongs to modules: parameters, and memory if it was followed.
    """

    def __init__(
        self, totals: Sequence[Stats], memory: bool, metrics: Iterable[Metric] = METRICS
    ) -> None:
        self.metrics = [
            metric for metric in metrics if metric.key == "flops" or _tells(metric, totals)
        ]
        self._memory = memory
        self._lines: dict[tuple[int, ...], int] = {}
        self._spent = [metric for metric in self.metrics if metric.additive]
        self._of_modules = [metric for metric in self.metrics if not metric.additive]
        # A page of a thousand ranks has some hundred thousand lines to read: all fields of one are
        # read by one call, and each figure is the sum of the fields from one place to another.
        self._fields = attrgetter("calls", *(part for one in self._spent for part in one.parts))
        ends = list(accumulate((len(metric.parts) for metric in self._spent), initial=1))
        self._places = [(0, 1), *pairwise(ends)]
        self.keys = ["calls", *(metric.key for metric in self._spent)]
        self.held_keys = [metric.key for metric in self._of_modules]
        self.held_keys += [f"memory_{kind}" for kind in MEMORY_KINDS if memory]

    def described(self) -> list[dict[str, Any]]:
        """What the page's script has to know of the metrics, memory's kinds included."""
        held = [
            {
                "key": f"memory_{kind}",
                "label": f"Memory: {kind}",
                "kind": "bytes",
                "help": f"{_MEMORY[kind]}.",
                "estimable": False,
                "elementwise": False,
                "additive": False,
            }
            for kind in MEMORY_KINDS
            if self._memory
        ]
        return [*map(described, self.metrics), *held]

    def values(self, stats: Stats) -> tuple[int, ...]:
        """What was done, in the order of `keys`."""
        fields = self._fields(stats)
        return tuple(
            fields[start] if end - start == 1 else sum(fields[start:end])
            for start, end in self._places
        )

    def held(self, stats: Stats, memory: ModuleMemory) -> tuple[int, ...]:
        """What a module has, in the order of `held_keys`."""
        figures = [metric.value(stats) for metric in self._of_modules]
        if self._memory:
            figures += [getattr(memory, kind) for kind in MEMORY_KINDS]
        return tuple(figures)

    def line(self, stats: Stats) -> int:
        """The number of the line that holds what was done."""
        return self._lines.setdefault(self.values(stats), len(self._lines))

    def columns(self) -> dict[str, list[int | str]]:
        """All lines, a column for each of `keys`."""
        return in_columns(self.keys, self._lines)


def column_for_script(values: Iterable[int]) -> list[int | str]:
    """Integers for the page, each as `for_script` gives it."""
    return [for_script(value) for value in values]


def in_columns(
    keys: Sequence[str], lines: Collection[tuple[int, ...]]
) -> dict[str, list[int | str]]:
    """Lines of integers as a column for each key."""
    columns = zip(*lines, strict=True) if lines else [()] * len(keys)
    return {key: column_for_script(column) for key, column in zip(keys, columns, strict=True)}


def _tells(metric: Metric, totals: Sequence[Stats]) -> bool:
    """True unless a metric is 0, or says that another one is known of all MACs."""
    if metric.key in KNOWN_OF:
        return any(metric.value(total) not in (0, total.macs) for total in totals)
    return any(metric.value(total) for total in totals)


class Texts:
    """Distinct texts, each with a number: types, shapes."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        """The texts, by number."""
        return list(self._numbers)

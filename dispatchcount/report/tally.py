"""Sums of costs while a view is computed.

They are mutable on purpose: a view adds up as many as hundreds of thousands of entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dispatchcount.report.metrics import ELEMENTWISE, METRICS, Stats
from dispatchcount.report.rows import Elements, Entry
from dispatchcount.rules.core.cost import COUNTS, MAY_BE_UNSET, Cost

_LOCAL = {"flops": "flops", "params": "elements.params", "nonzero_params": "elements.nonzero"}
"""Where a metric's value lies (`Metric.of`) that is not in a tally, but reaches `stats`."""


def _any(owner: str, names: Iterable[str]) -> str:
    return " or ".join(f"{owner}.{name}" for name in names)


def _read(name: str) -> str:
    return f"(cost.{name} or 0)" if name in MAY_BE_UNSET else f"cost.{name}"


def _written(signature: str, doc: str, *lines: str) -> Any:
    """The function that these lines of Python define.

    What a tally sums up is told by `COUNTS` and `METRICS`. A loop over their names takes three
    times as long as the same statements one by one (490 ns against 166 ns for `add_cost`), and a
    report adds up hundreds of thousands of costs. So the statements are written out here, once, as
    `dataclasses` writes the `__init__` of a class.
    """
    scope: dict[str, Any] = {"Cost": Cost, "Stats": Stats, "Elements": Elements}
    exec("\n    ".join([f"def {signature}:", *lines]), scope)
    function = scope[signature.partition("(")[0]]
    function.__doc__ = doc
    return function


class Tally:
    """A running sum of costs, calls and time.

    Attributes:
        macs, arithmetic, …: the sum of each count of the costs, by the names of `COUNTS`.
        calls: how many calls. What a call is differs between views, so they add it themselves.
        time_ns: nanoseconds in all calls.
        estimate: True if a cost was an estimate of contractions or of fvcore's figures.
        estimate_elementwise: True if one was an estimate of work for each element.
    """

    __slots__ = (*COUNTS, "calls", "estimate", "estimate_elementwise", "time_ns")

    calls: int
    time_ns: int
    nonzero_macs: int
    weighed_macs: int
    estimate: bool
    estimate_elementwise: bool

    if TYPE_CHECKING:

        def __init__(self) -> None: ...
        def __getattr__(self, count: str) -> int: ...

    else:
        __init__ = _written(
            "__init__(self)",
            "A sum of nothing.",
            *(f"self.{name} = 0" for name in (*COUNTS, "calls", "time_ns")),
            "self.estimate = self.estimate_elementwise = False",
        )

    add_cost: Callable[..., None] = _written(
        "add_cost(self, cost, times=1)",
        "Add a cost, so many times over, without a call.",
        *(f"self.{name} += {_read(name)} * times" for name in COUNTS),
        "if cost.estimate:",
        f"    self.estimate |= bool({_any('cost', ('macs', 'fvcore'))})",
        f"    self.estimate_elementwise |= bool({_any('cost', ELEMENTWISE)})",
    )

    add: Callable[[Tally], None] = _written(
        "add(self, other)",
        "Add another sum, without its calls.",
        *(f"self.{name} += other.{name}" for name in (*COUNTS, "time_ns")),
        "self.estimate |= other.estimate",
        "self.estimate_elementwise |= other.estimate_elementwise",
    )

    def add_entry(self, entry: Entry) -> None:
        """Add an entry's cost and time, without its calls."""
        self.add_cost(entry.cost)
        self.time_ns += entry.time_ns

    stats: Callable[..., Stats] = _written(
        "stats(self, convention, *, elements=Elements(), self_=None)",
        "The sum as a row under a convention, with parameters and a module's own part if given.",
        "flops = convention.flops(self)",
        "elementwise = self.estimate_elementwise",
        "estimate = self.estimate or (elementwise and convention.elementwise)",
        "return Stats(",
        *(f"    {_LOCAL.get(row.of, f'self.{row.of}')}," for row in METRICS),
        "    estimate, elementwise, self_",
        ")",
    )

    cost: Callable[[], Cost] = _written(
        "cost(self)",
        "The sum as a cost with bytes set.",
        "estimate = self.estimate or self.estimate_elementwise",
        "return Cost(",
        *(
            f"    {one.name if one.name == 'estimate' else f'self.{one.name}'},"
            for one in fields(Cost)
        ),
        ")",
    )

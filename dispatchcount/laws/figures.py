"""What a law says at given sizes: `Stats` in which a figure that has no formula there raises when
it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import NoReturn

from dispatchcount.errors import LawError
from dispatchcount.report.metrics import BY_KEY, METRICS, Stats

FIGURES = tuple(metric.key for metric in METRICS if not metric.option)
"""The metrics that a law has formulas for.

The others, time and what zeros in the weights save, are not asked for in the runs that laws are
made from, and do not follow from the sizes of inputs.
"""


class LawStats(Stats):
    """Exact figures at given sizes, read as those of a report: ``.flops``, ``.macs``,
    ``.bytes_read`` …

    A figure without a formula at these sizes is absent. Asking for it raises `LawError` with the
    reason, so that it is never mistaken for 0.

    Attributes:
        absent: the metrics that have no figure here, each with the reason.
    """

    __slots__ = ("absent",)

    absent: Mapping[str, str]

    def __new__(
        cls, figures: Mapping[str, int], absent: Mapping[str, str], *, estimate: bool = False
    ) -> LawStats:
        """Make the row.

        Args:
            figures: by metric.
            absent: for the metrics that have no figure, why.
            estimate: True if an estimate is part of the flops.
        """
        self = object.__new__(cls)
        for metric in FIGURES:
            if metric not in absent:
                object.__setattr__(self, metric, figures.get(metric, 0))
        object.__setattr__(self, "estimate", estimate)
        object.__setattr__(self, "estimate_elementwise", False)
        object.__setattr__(self, "self_", None)
        object.__setattr__(self, "absent", dict(absent))
        return self

    def __init__(
        self, figures: Mapping[str, int], absent: Mapping[str, str], *, estimate: bool = False
    ) -> None:
        """Everything is set in `__new__`: the fields are frozen."""

    def __getattr__(self, name: str) -> NoReturn:
        # Python comes here only for an attribute that is not set.
        if name != "absent" and name in self.absent:
            raise LawError(f"{name}: {self.absent[name]}")
        if name in BY_KEY:
            raise LawError(
                f"{name} does not follow from the sizes of inputs, so a law does not have it; "
                f"profile a run with {BY_KEY[name].option}=True"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stats):
            return NotImplemented
        theirs = getattr(other, "absent", {})
        return set(self.absent) == set(theirs) and all(
            getattr(self, metric) == getattr(other, metric)
            for metric in FIGURES
            if metric not in self.absent
        )

    def __add__(self, other: Stats) -> LawStats:
        """Figure by figure; what one of them does not have the sum does not have either."""
        absent = {**getattr(other, "absent", {}), **self.absent}
        figures = {m: getattr(self, m) + getattr(other, m) for m in FIGURES if m not in absent}
        return LawStats(figures, absent, estimate=self.estimate or other.estimate)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, m) for m in FIGURES if m not in self.absent))

    def __reduce__(self) -> tuple[type[LawStats], tuple[dict[str, int], dict[str, str]]]:
        present = {m: getattr(self, m) for m in FIGURES if m not in self.absent}
        return LawStats, (present, dict(self.absent))

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"

    def __repr__(self) -> str:
        shown = [
            f"{metric}={getattr(self, metric)}"
            for metric in FIGURES
            if metric not in self.absent and getattr(self, metric)
        ]
        return f"LawStats({', '.join(shown)})"

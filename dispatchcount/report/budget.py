"""Budgets: how much a report may cost, and how much it may grow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from dispatchcount.errors import UsageError
from dispatchcount.report.metrics import COMPARED, SUMS
from dispatchcount.report.model import ReportData

_FIGURES = {metric.key: metric for metric in (*COMPARED, *SUMS.values())}

BUDGETED = (*_FIGURES, "unknown_ops", "failed_ops", "peak_memory")
"""What can be limited: all figures but time, sums such as bytes, uncounted operators, the peak."""

_IN_BYTES = {key for key, metric in _FIGURES.items() if metric.unit == "bytes"} | {"peak_memory"}
"""What is written with a B behind it."""

_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_SCALES |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_NUMBER = re.compile(
    r"(?P<digits>\d[\d_]*(\.\d+)?([eE]\+?\d{1,3})?) ?((?P<scale>[kmgtp]i?)?b?|(?P<percent>%))",
    re.ASCII | re.IGNORECASE,
)

_MOST_DIGITS = 100
"""Characters of an amount; a report's own figures have no more digits."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a metric is allowed.

    Attributes:
        metric: one of `BUDGETED`.
        amount: the most it may be, or may grow by.
        percent: True if `amount` is percent of a baseline's figure.
        text: the amount as it was written.
    """

    metric: str
    amount: Fraction
    percent: bool
    text: str

    def allowed(self, baseline: int = 0) -> Fraction:
        """The amount in units of the metric."""
        return self.amount * baseline / 100 if self.percent else self.amount


@dataclass(frozen=True, slots=True)
class Breach:
    """A figure over its limit. `str()` of it is one sentence.

    Attributes:
        limit: what was allowed.
        value: the figure.
        before: the baseline's figure, where growth was limited.
    """

    limit: Limit
    value: int
    before: int | None = None

    def __str__(self) -> str:
        metric, value = self.limit.metric, self.value
        unit = " B" if metric in _IN_BYTES else ""
        if self.before is None:
            over = f"{_number(value - self.limit.amount)}{unit}"
            return f"{metric} is {value:,}{unit}, over the budget of {self.limit.text} by {over}"
        grown = value - self.before
        rate = f" ({_percent(grown, self.before)})" if self.before else ""
        before, after, more = (f"{figure:,}{unit}" for figure in (self.before, value, grown))
        return (
            f"{metric} grew from {before} to {after}, by {more}{rate}; {self.limit.text} is allowed"
        )


def parse_limits(limits: str | Mapping[str, str | int]) -> tuple[Limit, ...]:
    """Limits from ``"flops=4.2G,params=26M"`` or a mapping of the same.

    Args:
        limits: metric and amount. An amount is a whole number, ``4.2G`` (K M G T P are powers of
            1000, Ki Mi Gi Ti Pi of 1024), or a percentage of a baseline, ``1%``.

    Raises:
        dispatchcount.errors.UsageError: a metric or an amount is not known; the message says which.
    """
    pairs = (
        [_pair(part) for part in limits.split(",") if part.strip()]
        if isinstance(limits, str)
        else list(limits.items())
    )
    if not pairs:
        raise UsageError("no limit was given; write them as flops=4.2G,params=26M")
    return tuple(_limit(metric.strip(), amount) for metric, amount in pairs)


def _pair(part: str) -> tuple[str, str]:
    metric, sign, amount = part.partition("=")
    if not sign:
        raise UsageError(
            f"{part.strip()!r} is not a limit; write it as metric=amount, such as flops=4.2G"
        )
    return metric, amount


def _limit(metric: str, amount: str | int) -> Limit:
    if metric not in BUDGETED:
        raise UsageError(f"{metric!r} cannot be limited; it is one of {', '.join(BUDGETED)}")
    try:
        written = str(amount).strip()
    except ValueError:  # Python writes no integer of more than some thousand digits
        written = "an integer of thousands of digits"
    match = _NUMBER.fullmatch(written)
    if match is None or len(match["digits"]) > _MOST_DIGITS:
        shown = written if len(written) <= _MOST_DIGITS else f"{written[:_MOST_DIGITS]}…"
        raise UsageError(
            f"{metric}={shown} is not an amount; write a number such as 4200000000, 4.2G or 1%"
        )
    text = f"{amount:,}" if isinstance(amount, int) else written
    scale = _SCALES[(match["scale"] or "").lower()]
    return Limit(
        metric, Fraction(match["digits"].replace("_", "")) * scale, bool(match["percent"]), text
    )


def figure(report: ReportData, metric: str) -> int:
    """The report's figure that a limit on `metric` is held against.

    Raises:
        dispatchcount.errors.UsageError: the report did not measure it.
    """
    if metric == "unknown_ops":
        return len(report.unknown_ops)
    if metric == "failed_ops":
        return len(report.failed_ops)
    if metric == "peak_memory":
        if report.memory is None:
            raise UsageError(
                "peak_memory cannot be checked: the report was made without profile(memory=True)"
            )
        return report.memory.peak
    return _FIGURES[metric].value(report.total)


def check(
    report: ReportData, limits: str | Mapping[str, str | int] | tuple[Limit, ...]
) -> tuple[Breach, ...]:
    """The figures that are over their limits; empty where all is well.

    Raises:
        dispatchcount.errors.UsageError: a limit cannot be read, or is a percentage.
    """
    parsed = limits if isinstance(limits, tuple) else parse_limits(limits)
    for limit in parsed:
        if limit.percent:
            raise UsageError(
                f"{limit.metric}={limit.text} is a share of a baseline; "
                f"a budget is an amount such as 4.2G"
            )
    figures = [(limit, figure(report, limit.metric)) for limit in parsed]
    return tuple(Breach(limit, value) for limit, value in figures if value > limit.amount)


def growth(
    old: ReportData, new: ReportData, limits: str | Mapping[str, str | int] | tuple[Limit, ...]
) -> tuple[Breach, ...]:
    """The figures that grew from `old` to `new` by more than their limits.

    Both reports must follow one convention.

    Raises:
        dispatchcount.errors.UsageError: a limit cannot be read.
    """
    parsed = limits if isinstance(limits, tuple) else parse_limits(limits)
    figures = [(limit, figure(old, limit.metric), figure(new, limit.metric)) for limit in parsed]
    return tuple(
        Breach(limit, after, before)
        for limit, before, after in figures
        if after - before > limit.allowed(before)
    )


def _number(value: Fraction) -> str:
    return f"{int(value):,}" if value.denominator == 1 else f"{float(value):,}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:+.2f}%"

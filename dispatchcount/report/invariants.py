"""What always holds of a report."""

from __future__ import annotations

from collections.abc import Iterable

from dispatchcount.report.metrics import METRICS, Metric, Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.tree import children

_ADDED_UP = tuple(metric for metric in METRICS if metric.key != "calls")
"""The metrics of which a module's total is made of its children's; calls are each module's own."""


def self_check(report: ReportData) -> None:
    """Assert that a report's figures agree with each other.

    A module's total is its own part plus its children's totals, the top rows add up to the whole,
    and so do phases, dtypes and operators.

    Raises:
        AssertionError: they do not; the message names the module and the metric.
    """
    rows = report.by_module()
    names = [module.name for module in report.modules]
    below = children(report.modules, lambda index: names[index] in rows)

    # Every module against its children, and the whole against the top rows.
    for index, name in enumerate(names):
        if name not in rows:
            continue
        row, parts = rows[name], [rows[names[child]] for child in below.get(index, [])]
        assert row.self_ is not None
        for metric in _ADDED_UP:
            whole, added = metric.value(row), _sum([row.self_, *parts], metric)
            assert whole == added, (
                f"{name or '(root)'}: total {metric.key} {whole} is not its own part "
                f"and its children's, {added}"
            )
    tops = [rows[names[top]] for top in below.get(-1, [])]
    for metric in _ADDED_UP:
        whole, added = metric.value(report.total), _sum(tops, metric)
        assert whole == added, f"total {metric.key} {whole} is not the sum of the top rows, {added}"

    for index, path in enumerate(report.paths):
        assert path.parent < index, f"path {index} comes before its caller"

    for group, members in (
        ("phases", report.by_phase()),
        ("dtypes", report.by_dtype()),
        ("operators", report.by_operator()),
    ):
        flops = sum(row.flops for row in members.values())
        assert flops == report.flops, f"the {group} add up to {flops} flops, not {report.flops}"


def _sum(rows: Iterable[Stats], metric: Metric) -> int:
    return sum(metric.value(row) for row in rows)

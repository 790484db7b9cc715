"""What the HTML page shows, as plain lists for its script: a column a figure, a place a module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dispatchcount.report.by_module import own_by_operator
from dispatchcount.report.coverage import statuses
from dispatchcount.report.metrics import CONDENSED, Metric, Stats

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

_EXACT_IN_JAVASCRIPT = 2**53 - 1


METRICS = sorted(
    (metric for metric in CONDENSED if metric.key != "calls"),
    key=lambda metric: (metric.measured, metric.elementwise),
)
"""The figures that the page can size areas by. Calls, of which areas say little, have a column."""

_KINDS = {"bytes": "bytes", "nanoseconds": "time"}
"""How the page's script writes numbers of a unit; those of all others are counts."""


def page_data(report: ReportData, title: str) -> dict[str, Any]:
    """All that the page shows. Integers that JavaScript cannot hold exactly become decimal text."""
    shown = [metric for metric in METRICS if metric.key == "flops" or metric.value(report.total)]
    rows = report.by_module()
    index = {name: i for i, name in enumerate(rows)}
    modules = {module.name: module for module in report.modules}
    uncalled = set(report.uncalled_modules)
    return {
        "title": title,
        "meta": asdict(report.meta),
        "convention": {"name": report.convention, "unit": report.flop_definition.unit},
        "metrics": [described(metric) for metric in shown],
        "estimate": report.estimate,
        "gap": report.incomplete,
        "whole": {metric.key: for_script(metric.value(report.total)) for metric in shown},
        "calls": for_script(report.total.calls),
        "rows": {
            "name": list(rows),
            "type": [modules[name].type for name in rows],
            "extra": [modules[name].extra for name in rows],
            "aliases": [list(modules[name].aliases) for name in rows],
            "parent": [_parent(report, modules[name].parent, index) for name in rows],
            "calls": _column(row.calls for row in rows.values()),
            "uncalled": [index[name] for name in rows if name in uncalled],
            "estimate": [index[name] for name, row in rows.items() if row.estimate],
        },
        "total": {
            metric.key: _column(metric.value(row) for row in rows.values()) for metric in shown
        },
        "own": {
            metric.key: _column(metric.value(row.self_ or row) for row in rows.values())
            for metric in shown
        },
        "operators": _operators(report, shown, index),
        "issues": [
            asdict(issue) | {"calls": for_script(issue.calls), "nbytes": for_script(issue.nbytes)}
            for issue in report.issues
        ],
        "groups": [
            {"title": "Phases", "label": "Phase", "rows": _group(report.by_phase(), shown)},
            {"title": "Dtypes", "label": "Dtype", "rows": _group(report.by_dtype(), shown)},
        ],
        "samples": _samples(report, index),
        "memory": None if report.memory is None else asdict(report.memory) | {"modules": []},
    }


def _parent(report: ReportData, parent: int, index: dict[str, int]) -> int:
    return index.get(report.modules[parent].name, -1) if parent >= 0 else -1


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


def for_script(value: int) -> int | str:
    """An integer for the page: itself, or its digits where JavaScript could not hold it exactly."""
    return value if -_EXACT_IN_JAVASCRIPT <= value <= _EXACT_IN_JAVASCRIPT else str(value)


def _column(values: Iterable[int]) -> list[int | str]:
    return [for_script(value) for value in values]


def _operators(
    report: ReportData, shown: Sequence[Metric], index: dict[str, int]
) -> dict[str, Any]:
    """What each module did itself by operator, so that the page can add up any part of the tree.

    Every pair of a module and an operator is one place in the lists.
    """
    status = {op: ways[0] for op, ways in statuses(report).items()}
    pairs = {
        (index[report.modules[module].name], op): row
        for (module, op), row in own_by_operator(report).items()
    }
    additive = [metric for metric in shown if metric.additive]
    order = {op: i for i, op in enumerate(status)}
    return {
        "name": list(status),
        "status": list(status.values()),
        "row": [row for row, _ in pairs],
        "operator": [order[op] for _, op in pairs],
        "calls": _column(stats.calls for stats in pairs.values()),
        "own": {
            metric.key: _column(metric.value(stats) for stats in pairs.values())
            for metric in additive
        },
    }


def _group(rows: dict[str, Stats], shown: Sequence[Metric]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "calls": for_script(row.calls),
            "values": {
                metric.key: for_script(metric.value(row)) for metric in shown if metric.additive
            },
        }
        for name, row in rows.items()
    ]


def _samples(report: ReportData, index: dict[str, int]) -> dict[str, Any] | None:
    if not report.samples:
        return None
    over = report.by_module_over_samples()
    rate = [over[name].execution_rate if name in over else 0.0 for name in index]
    return {
        "label": [sample.label for sample in report.samples],
        "flops": _column(report.sample_flops()),
        "distribution": asdict(report.distribution()),
        "rate": rate,
    }

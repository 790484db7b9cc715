"""OpenMetrics text for those who scrape: https://github.com/prometheus/OpenMetrics, version 1.0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dispatchcount.report.metrics import METRICS

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData


def to_openmetrics(report: ReportData) -> str:
    """Gauges of the totals, ``dispatchcount_flops``, and of each module.

    Those of modules are ``dispatchcount_module_flops{module="layer1"}``.

    The report's labels and its convention are labels of every sample.
    """
    common = {"convention": report.convention}
    for key, value in report.meta.labels:
        common[_label_name(key, common)] = value
    total, modules = report.total, report.by_module()
    types = {module.name: module.type for module in report.modules}
    lines: list[str] = []
    for metric in METRICS:
        lines += _family(
            f"dispatchcount_{metric.key}", metric.help, [(common, metric.value(total))]
        )
    issues = [
        (common | {"op": issue.op, "status": issue.status}, issue.calls)
        for issue in {(issue.op, issue.status): issue for issue in report.issues}.values()
    ]
    lines += _family(
        "dispatchcount_uncounted_calls", "Calls of operators that could not be counted", issues
    )
    for metric in METRICS:
        rows = [
            (common | {"module": name, "type": types[name]}, metric.value(row))
            for name, row in modules.items()
        ]
        lines += _family(
            f"dispatchcount_module_{metric.key}",
            f"{metric.help}, by module with those below it",
            rows,
        )
    return "\n".join([*lines, "# EOF", ""])


def _family(name: str, help_: str, samples: list[tuple[dict[str, str], int]]) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    yield f"# HELP {name} {help_}."
    for labels, value in samples:
        pairs = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
        yield f"{name}{{{pairs}}} {value}"


def _escape(text: str) -> str:
    return (
        text.replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
        .encode("utf-8", "replace")
        .decode()
    )


def _label_name(key: str, taken: dict[str, str]) -> str:
    """`key` as a label's name.

    Characters that are not allowed become ``_``; a name that is taken or reserved gets a ``_`` at
    its end.
    """
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
    name = f"label_{name}" if not re.match(r"[a-zA-Z]", name) else name
    while name in taken or name in ("module", "type", "op", "status"):
        name += "_"
    return name

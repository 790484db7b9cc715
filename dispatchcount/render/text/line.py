"""A report and a diff on one short line, for prompts, debuggers and failed assertions."""

from __future__ import annotations

from dispatchcount.render.numbers import AT_LEAST, ESTIMATE, human, plural
from dispatchcount.render.plain import cut, first_line
from dispatchcount.report.diff import DiffData
from dispatchcount.report.model import ReportData

_LONGEST_NAME = 60


def report_line(report: ReportData) -> str:
    """A report and how much is missing from it.

    ``<Report ResNet: 4.11 G flops (fvcore), 25.6 M params, 161 modules>``
    """
    gap = report.incomplete
    mark = ESTIMATE if report.estimate else AT_LEAST if gap else ""
    parts = [
        f"{mark}{human(report.flops)} flops ({report.convention})",
        f"{human(report.params)} params",
        plural(sum(1 for name in report.modules[1:] if name.type), "module"),
    ]
    if report.samples:
        parts.append(plural(len(report.samples), "sample"))
    if report.issues:
        parts.append(f"{plural(len(report.issues), 'operator')} not counted")
    if report.meta.stopped_in is not None:
        parts.append("stopped by an exception")
    return f"<Report {_model(report)}: {', '.join(parts)}>"


def diff_line(diff: DiffData) -> str:
    """A diff.

    ``<Diff ResNet → ResNet: 4.11 G → 4.09 G flops (fvcore), 3 modules and 1 operator changed>``
    """
    flops = f"{human(diff.old.flops)} → {human(diff.new.flops)} flops ({diff.old.convention})"
    rows = ((len(diff.modules), "module"), (len(diff.operators), "operator"))
    changed = " and ".join(plural(number, noun) for number, noun in rows if number) or (
        "the totals" if diff else "nothing"
    )
    return f"<Diff {_model(diff.old)} → {_model(diff.new)}: {flops}, {changed} changed>"


def _model(report: ReportData) -> str:
    return cut(first_line(report.meta.model), _LONGEST_NAME) or "of a block"

"""A report in a notebook's cell: a compact table, no script, colours for light and dark pages."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from dispatchcount.render.numbers import (
    AT_LEAST,
    ESTIMATE,
    every_digit,
    human,
    in_unit,
    plural,
    show_share,
)
from dispatchcount.render.plain import clean, some, tail
from dispatchcount.report import derived
from dispatchcount.report.metrics import BY_KEY, Stats

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

MOST_ROWS = 24
"""Rows of the table; the biggest modules are kept."""

_LONGEST_NAME = 60
_COLUMNS = ("flops", "macs", "params", "activations", "calls")
_HEADLINE = ("macs", "params", "activations")
_CELL = "padding:2px 10px;text-align:right;white-space:nowrap"
_LEFT = "padding:2px 10px;text-align:left;white-space:nowrap"
_WARNING = "border-left:3px solid #d9822b;padding:2px 10px;margin:4px 0"


def to_notebook(report: ReportData) -> str:
    """The totals, what could not be counted, and the biggest modules as an HTML fragment."""
    rows = report.by_module()
    types = {module.name: module.type for module in report.modules}
    biggest = sorted(rows, key=lambda name: (-rows[name].flops, -rows[name].params))[:MOST_ROWS]
    kept = [name for name in rows if name in set(biggest)]
    columns = (*_COLUMNS, "time_ns") if report.total.time_ns else _COLUMNS
    lines = [_row(name, types[name], rows[name], report.total, columns) for name in kept]
    headers = ("share", *(BY_KEY[column].label for column in columns))
    heads = "".join(f'<th style="{_CELL}">{header}</th>' for header in headers)
    left_out = (
        f"<p>The {len(kept)} biggest of {plural(len(rows), 'module')}.</p>"
        if len(kept) < len(rows)
        else ""
    )
    return (
        f'<div style="font-size:13px">{_headline(report)}{_warnings(report)}'
        f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f'<thead><tr><th style="{_LEFT}">module</th><th style="{_LEFT}">type</th>{heads}</tr>'
        f"</thead>"
        f"<tbody>{''.join(lines)}</tbody></table>{left_out}"
        f"<p>FLOPs by the convention {report.convention}: "
        f"{html.escape(report.flop_definition.unit)}.</p></div>"
    )


def _headline(report: ReportData) -> str:
    gap = report.incomplete
    mark = AT_LEAST if gap else ESTIMATE if report.estimate else ""
    figures = [f"{mark}{human(report.flops)} FLOPs ({report.convention})"]
    figures += [f"{human(getattr(report, key))} {BY_KEY[key].label}" for key in _HEADLINE]
    return f"<p><b>{_safe(report.meta.model or 'Profiled block')}</b>: {' · '.join(figures)}</p>"


def _warnings(report: ReportData) -> str:
    lines = []
    if report.meta.stopped_in is not None:
        where, error = report.meta.stopped_in or "(root)", report.meta.error or ""
        lines.append(
            f"The block stopped in {clean(where)}: {clean(error)}. "
            "The figures are those up to there."
        )
    for issue in report.issues:
        calls = plural(issue.calls, "call")
        lines.append(
            f"Not counted: {clean(issue.op)} ({issue.status}, {calls}, "
            f"in {some(issue.modules, 3, 'see the report')})"
        )
    return "".join(f'<p style="{_WARNING}">{_safe(line)}</p>' for line in lines)


def _row(name: str, type_: str, row: Stats, whole: Stats, columns: tuple[str, ...]) -> str:
    full = clean(name) or "(root)"
    end = tail(full, _LONGEST_NAME)
    estimate = ESTIMATE if row.estimate else ""
    figures = [show_share(derived.share(row, whole))]
    for column in columns:
        value: int = getattr(row, column)
        shown = in_unit(BY_KEY[column].unit)(value, False)
        figures.append(
            f'<span title="{every_digit(value)}">'
            f"{estimate if column == 'flops' else ''}{shown}</span>"
        )
    cells = "".join(f'<td style="{_CELL}">{figure}</td>' for figure in figures)
    module = f'<td style="{_LEFT}" title="{_safe(full)}"><code>{_safe(end)}</code></td>'
    return f'<tr>{module}<td style="{_LEFT}">{_safe(type_)}</td>{cells}</tr>'


def _safe(value: str) -> str:
    return escaped(clean(value))


def escaped(value: str) -> str:
    """`value` as HTML text; what UTF-8 cannot hold becomes a question mark."""
    return html.escape(value).encode("utf-8", "replace").decode()

"""A report in a notebook's cell: a compact table, no script, colours for light and dark pages."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatchcount.render.columns import MODULE_COLUMNS, Column, measured
from dispatchcount.render.console.grid import DRAWN
from dispatchcount.render.numbers import AT_LEAST, ESTIMATE, human, plural
from dispatchcount.render.plain import ROOT, clean, some, tail
from dispatchcount.render.select import AUTO, Row, select
from dispatchcount.render.summary import folded, hidden
from dispatchcount.report.metrics import BY_KEY

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

MOST_ROWS = 24
"""Rows of the table; the biggest modules are opened first."""

_LONGEST_NAME = 60
_COLUMNS = ("share", "flops", "macs", "params", "activations", "calls")
"""Those shown; time and memory follow where they were measured."""

_HEADLINE = ("macs", "params", "activations")
_CELL = "padding:2px 10px;text-align:right;white-space:nowrap"
_LEFT = "padding:2px 10px;text-align:left;white-space:nowrap"
_WARNING = "border-left:3px solid #d9822b;padding:2px 10px;margin:4px 0"


def to_notebook(report: ReportData) -> str:
    """The totals, what could not be counted, and the biggest modules as an HTML fragment.

    Equal siblings are one row with their sum.
    """
    columns = [MODULE_COLUMNS[name] for name in (*_COLUMNS, *measured(report))]
    selection = select(report, AUTO, fold=True, most=MOST_ROWS)
    lines = [_row(row, columns) for row in selection.rows]
    heads = "".join(f'<th style="{_CELL}">{html.escape(column.header)}</th>' for column in columns)
    notes = [text for _, text, _ in hidden(selection) + folded(selection)]
    return (
        f'<div style="font-size:13px">{_headline(report)}{_warnings(report)}'
        f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f'<thead><tr><th style="{_LEFT}">module</th><th style="{_LEFT}">type</th>{heads}</tr>'
        f"</thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
        f"{''.join(f'<p>{_safe(note)}.</p>' for note in notes)}"
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


def _row(row: Row, columns: Sequence[Column[Row]]) -> str:
    full, name = clean(row.path) or ROOT, tail(clean(row.name), _LONGEST_NAME)
    cells = "".join(
        f'<td style="{_CELL}"><span title="{_safe(column.text(row, True))}">'
        f"{_safe(column.text(row, False))}</span></td>"
        for column in columns
    )
    shown = f'<code style="padding-left:{min(row.level, DRAWN)}em">{_safe(name)}</code>'
    module = f'<td style="{_LEFT}" title="{_safe(full)}">{shown}</td>'
    return f'<tr>{module}<td style="{_LEFT}">{_safe(row.module.type)}</td>{cells}</tr>'


def _safe(value: str) -> str:
    return escaped(clean(value))


def escaped(value: str) -> str:
    """`value` as HTML text; what UTF-8 cannot hold becomes a question mark."""
    return html.escape(value).encode("utf-8", "replace").decode()

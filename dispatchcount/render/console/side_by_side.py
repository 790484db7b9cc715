"""A few samples beside each other: which modules each ran, how often, and at what cost."""

from __future__ import annotations

from collections import Counter

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, measured
from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.numbers import ABSENT, count, percent
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import select
from dispatchcount.render.summary import footer, hidden, summary
from dispatchcount.report.derived import part
from dispatchcount.report.model import ReportData

MOST = 6


def side_by_side(report: ReportData, *, depth: int | None = 3, exact: bool = False) -> Printable:
    """The modules as rows, and beside them calls, flops and share of flops of the first samples.

    Time and memory, where they were measured, are those of the whole block.

    Args:
        report: the report.
        depth: levels of modules below the root to show, None for all.
        exact: show every digit.

    Raises:
        ValueError: the block had no samples, or `depth` is negative.
    """
    report.distribution()  # raises if the block had no samples
    selection = select(report, depth)
    rows = [row for row in selection.rows if row.module is not report.modules[0]]
    columns = [
        Cells(
            "module",
            [clean(row.label) for row in rows],
            left=True,
            leads=[indent(row.level) for row in rows],
        ),
        Cells(
            "type",
            [MODULE_COLUMNS["type"].text(row, exact) for row in rows],
            left=True,
            styles=["dim"] * len(rows),
        ),
    ]
    named: Counter[str] = Counter()
    for (label, figures), whole in list(
        zip(report.by_sample(), report.sample_flops(), strict=True)
    )[:MOST]:
        stats = [figures[row.module.name] for row in rows]
        ran = [s.calls > 0 or s.flops > 0 for s in stats]
        shares = [part(s.flops, whole) or 0.0 for s in stats]
        styles = [
            heat(share, row.level) if r else "dim"
            for share, row, r in zip(shares, rows, ran, strict=True)
        ]
        named[label] += 1
        name = (clean(label) or "(no name)") + (f" #{named[label]}" if named[label] > 1 else "")
        columns += [
            Cells(
                "calls", [count(s.calls, exact) if s.calls else ABSENT for s in stats], group=name
            ),
            Cells(
                "flops",
                [count(s.flops, exact) if r else ABSENT for s, r in zip(stats, ran, strict=True)],
                styles=styles,
                keep=True,
                group=name,
            ),
            Cells(
                "share",
                [percent(share) if r else ABSENT for share, r in zip(shares, ran, strict=True)],
                group=name,
            ),
        ]
    for metric in measured(report):
        column = MODULE_COLUMNS[metric]
        columns.append(
            Cells(
                column.header,
                [column.text(row, exact) for row in rows],
                keep=True,
                group="the whole block",
            )
        )
    left_out = len(report.samples) - MOST
    lines = hidden(selection) + summary(report, exact=exact)
    if left_out > 0:
        lines.insert(
            0,
            (
                "hidden",
                f"{left_out:,} samples after the first {MOST}; samples_table() sums up all",
                "dim",
            ),
        )
    return Printable(Group(Grid(columns), Text(), footer(lines)))

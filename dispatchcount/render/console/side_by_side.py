"""A few samples beside each other: which modules each ran, how often, and at what cost."""

from __future__ import annotations

from collections import Counter

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, measured
from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.numbers import ABSENT, count, percent
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import AUTO, Depth, select
from dispatchcount.render.summary import folded, footer, hidden, summary
from dispatchcount.report.derived import part
from dispatchcount.report.fold import together
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import NO_MODULE

MOST = 6


def side_by_side(
    report: ReportData, *, depth: Depth = AUTO, exact: bool = False, fold: bool = True
) -> Printable:
    """The modules as rows, and beside them calls, flops and share of flops of the first samples.

    Time and memory, where they were measured, are those of the whole block.

    Args:
        report: the report.
        depth: levels of modules below the root to show, None for all. With `AUTO` it opens the
            biggest modules as far as a window goes.
        exact: show every digit.
        fold: True to show siblings that are equal in every sample as one row with their sum.

    Raises:
        ValueError: the block had no samples, or `depth` is no depth.
    """
    report.distribution()  # raises if the block had no samples
    selection = select(report, depth, fold=fold, wanted=lambda row: row.module.name != NO_MODULE)
    rows = list(selection.rows)
    columns = [
        Cells(
            "module",
            [clean(row.name) for row in rows],
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
        stats = [together(figures[name] for name in row.names(report)) for row in rows]
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
    lines = hidden(selection) + folded(selection) + summary(report, exact=exact)
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

"""The samples of a block as tables: what each cost, and how often each module ran."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, Column, measured
from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import ABSENT, count, percent, plural, show_share
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import AUTO, Depth, Row, select
from dispatchcount.render.summary import Line, folded, footer, hidden, summary
from dispatchcount.render.top import check_top
from dispatchcount.report.derived import part
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import NO_MODULE
from dispatchcount.report.samples import ModuleSamples


def samples_table(
    report: ReportData,
    *,
    top: int | None = 15,
    depth: Depth = AUTO,
    exact: bool = False,
    fold: bool = True,
) -> Printable:
    """Two tables: the most expensive samples, and what each module did over all samples.

    Args:
        report: the report.
        top: how many samples to show, None for all.
        depth: levels of modules below the root to show, None for all. With `AUTO` it opens the
            biggest modules as far as a window goes.
        exact: show every digit.
        fold: True to show siblings that are equal in every sample as one row with their sum.

    Raises:
        ValueError: the block had no samples, `top` is negative, or `depth` is no depth.
    """
    check_top(top, "samples")
    report.distribution()  # raises if the block had no samples
    selection = select(
        report, depth, fold=fold, wanted=lambda index: report.modules[index].name != NO_MODULE
    )
    table, lines = _samples(report, top, exact)
    modules = _modules(
        list(selection.rows), report.by_module_over_samples(), measured(report), exact
    )
    return Printable(
        Group(
            table,
            Text(),
            modules,
            Text(),
            footer(lines + hidden(selection) + folded(selection) + summary(report, exact=exact)),
        )
    )


def _samples(report: ReportData, top: int | None, exact: bool) -> tuple[Grid, list[Line]]:
    flops = report.sample_flops()
    biggest = sorted(zip(report.samples, flops, strict=True), key=lambda pair: -pair[1])
    shown, whole = biggest[:top], sum(flops)
    left_out = len(biggest) - len(shown)
    lines: list[Line] = []
    if left_out:
        opens = hint("top=None", "--top all")
        text = f"{plural(left_out, 'cheaper sample')}; {opens} shows all"
        lines.append(("hidden", text, "dim"))
    columns = [
        Cells("sample", [clean(sample.label) for sample, _ in shown], left=True),
        Cells("flops", [count(value, exact) for _, value in shown], keep=True),
        Cells("share", [show_share(part(value, whole)) for _, value in shown]),
    ]
    return Grid(columns), lines


def _modules(
    rows: list[Row], over: dict[str, ModuleSamples], more: tuple[str, ...], exact: bool
) -> Grid:
    # Modules that are folded did the same in every sample, so that a row's figures in each sample
    # are those of its first module times their number.
    figures = [over[row.module.name].of(row.members) for row in rows]
    spreads = [f.flops for f in figures]
    # What a module that is never called by itself does is done by the modules in it, or by the one
    # around it.
    by_itself = [not (row.module.container or row.module.fused) for row in rows]
    styles = [
        heat(row.share, row.level) if f.execution_rate else "dim"
        for row, f in zip(rows, figures, strict=True)
    ]
    return Grid(
        [
            Cells(
                "module",
                [clean(row.name) for row in rows],
                True,
                styles,
                leads=[indent(row.level) for row in rows],
            ),
            Cells(
                "type",
                [MODULE_COLUMNS["type"].text(row, exact) for row in rows],
                True,
                ["dim"] * len(rows),
            ),
            Cells(
                "ran in",
                [
                    percent(f.execution_rate) if f.execution_rate or own else ABSENT
                    for f, own in zip(figures, by_itself, strict=True)
                ],
                keep=True,
            ),
            Cells(
                "calls/sample",
                [
                    count(f.calls_per_sample, exact) if f.calls_per_sample or own else ABSENT
                    for f, own in zip(figures, by_itself, strict=True)
                ],
            ),
            Cells(
                "mean flops",
                [count(spread.mean, exact) for spread in spreads],
                styles=styles,
                keep=True,
            ),
            Cells("min", [count(spread.min, exact) for spread in spreads]),
            Cells("p95", [count(spread.p95, exact) for spread in spreads]),
            Cells("max", [count(spread.max, exact) for spread in spreads]),
            *(_whole(MODULE_COLUMNS[metric], rows, exact) for metric in more),
        ]
    )


def _whole(column: Column[Row], rows: list[Row], exact: bool) -> Cells:
    """A figure of the whole block: time and memory are not measured for single samples."""
    return Cells(f"{column.header} of all", [column.text(row, exact) for row in rows], keep=True)

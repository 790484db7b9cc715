"""The module tree as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, Column, measured, order, pick, telling
from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import plural
from dispatchcount.render.plain import Printable
from dispatchcount.render.select import AUTO, ROWS, Depth, Row, select
from dispatchcount.render.summary import Line, folded, footer, hidden, per_sample, shared, summary
from dispatchcount.render.top import check_top
from dispatchcount.report.memory_totals import memory_of_all
from dispatchcount.report.model import ReportData
from dispatchcount.report.parameter_totals import all_parameters
from dispatchcount.report.rows import Module

COLUMNS = ("name", "type", "calls", "params", "flops", "share", "activations")
"""Those shown unless others are asked for. Time and memory follow where they were measured."""

FLAT_COLUMNS = ("path", "type", "calls", "params", "self_flops", "self_share", "share")
"""Those of a flat table unless others are asked for."""

_KEPT = ("flops", "share", "self_flops", "self_share", "time_ns", "memory")
"""Those that a narrow console keeps: the answer, and what was measured because it was asked for."""

LEFT = ("name", "path", "type", "shapes", "input", "output")
"""Those that hold text."""


def module_table(
    report: ReportData,
    *,
    depth: Depth = AUTO,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    min_share: float = 0.0,
    exact: bool = False,
    fold: bool = True,
    flat: bool = False,
    top: int | None = None,
    most: int = ROWS,
    batch: int | None = None,
) -> Printable:
    """The modules with their totals, each below its parent; below them what the numbers leave out.

    Args:
        report: the report.
        depth: levels below the root to show, None for all. With `AUTO` it opens the biggest modules
            as far as `most` rows go, and marks those in which it leaves some out.
        columns: names out of `MODULE_COLUMNS`: any metric of `Stats`; the same without the
            children, ``"self_flops"``; ``name``, ``path`` (the full name), ``type``, ``share`` (of
            all flops), ``intensity`` (flops for each byte), ``flops_per_s``, ``memory`` (bytes of
            every kind), ``memory_saved`` and the other kinds, ``shapes`` (of the parameters),
            ``input`` (shapes, and with how many calls each came), ``output``, ``trainable``,
            ``local_params`` (held by this rank), ``params_share``,
            ``param_bytes``; any metric that adds up for one sample of the batch,
            ``"flops_per_sample"``. ``name`` comes first unless ``path`` is among them.
        sort: the column to order the modules below one parent by, biggest first; by default they
            are in the model's order. Unless `columns` are given, it is shown too.
        min_share: hide modules below this share of all flops, 0.01 for 1 %.
        exact: show every digit.
        fold: True to show equal siblings as one row with their sum; see
            `dispatchcount.report.fold.Folding`.
        flat: True to list the modules of every depth by their full names, biggest first: by `sort`,
            or else by the flops of each without its children.
        top: how many rows of a flat table to show, None for all.
        most: how many rows `AUTO` shows.
        batch: how many samples the block ran; by default what its inputs say, see `batch_of`.

    Raises:
        ValueError: a column or `sort` is not known, `depth` or `top` is negative, `min_share` is
            not within 0 and 1, `batch` is no number of samples, or `top` was given for a table that
            is not flat.
    """
    if top is not None and not flat:
        raise ValueError(f"top={top} needs flat=True: a tree is cut by depth or min_share")
    check_top(top, "modules")
    if flat:
        return _flat(report, columns, sort or "self_flops", min_share, exact, fold, top, batch)
    key = None if sort is None else order(pick(MODULE_COLUMNS, [sort], "sort")[sort])
    if columns is None:
        columns = (*COLUMNS, *measured(report), *([] if sort is None else [sort]))
    picked = pick(MODULE_COLUMNS, columns, "column")
    if not {"name", "path"} & set(picked):
        picked = {"name": MODULE_COLUMNS["name"]} | picked
    selection = select(report, depth, min_share, key, fold=fold, most=most, batch=batch)
    rows = telling(selection.rows, picked)
    has_total = sum(not row.level for row in rows) > 1
    if has_total:
        rows.append(_total(report, rows))
    cells = [_column(name, column, rows, exact) for name, column in picked.items()]
    lines = hidden(selection) + folded(selection) + shared(selection)
    lines += per_sample(report, picked, batch) + summary(report, exact=exact)
    return Printable(Group(Grid(cells, total=has_total), Text(), footer(lines)))


def _flat(
    report: ReportData,
    columns: Sequence[str] | None,
    sort: str,
    min_share: float,
    exact: bool,
    fold: bool,
    top: int | None,
    batch: int | None,
) -> Printable:
    """The modules of every depth in one list."""
    key = order(pick(MODULE_COLUMNS, [sort], "sort")[sort])
    if columns is None:
        columns = (*FLAT_COLUMNS, *measured(report), *([] if sort in FLAT_COLUMNS else [sort]))
    picked = {"path": MODULE_COLUMNS["path"]} | pick(MODULE_COLUMNS, columns, "column")
    picked.pop("name", None)
    selection = select(report, None, min_share, fold=fold, batch=batch)
    rows = sorted(telling(selection.rows, picked), key=key)
    # Every row stands at the same level, so that its heat is that of its own share.
    shown = [replace(row, level=1) for row in rows[:top]]
    cells = [_column(name, column, shown, exact) for name, column in picked.items()]
    left_out = sum(row.members for row in rows[len(shown) :])
    lines: list[Line] = []
    if left_out:
        opens = hint("top=None", "--top all")
        text = f"{plural(left_out, 'module')} after the first {len(shown):,}; {opens} shows all"
        lines = [("hidden", text, "dim")]
    lines += hidden(selection) + folded(selection)
    lines += per_sample(report, picked, batch) + summary(report, exact=exact)
    return Printable(Group(Grid(cells), Text(), footer(lines)))


def _column(name: str, column: Column[Row], rows: list[Row], exact: bool) -> Cells:
    texts = [
        "" if row.module is _TOTAL and name in _NOT_OF_TOTAL else column.text(row, exact)
        for row in rows
    ]
    leads = [indent(row.level) for row in rows] if name == "name" else ()
    return Cells(
        column.header,
        texts,
        name in LEFT,
        [_style(name, row) for row in rows],
        name in _KEPT,
        leads,
    )


def _style(name: str, row: Row) -> str:
    if not row.ran or name in ("type", "shapes", "input", "output"):
        return "dim"
    if name not in ("name", "path", "flops", "share"):
        return ""
    return "red" if row.own_gap else heat(row.share, row.level)


_TOTAL = Module("total", "")
_NOT_OF_TOTAL = ("type", "calls", "shapes", "input", "output")


def _total(report: ReportData, rows: list[Row]) -> Row:
    """The row under several top rows.

    Its own part is all there is, because the own parts of all rows add up to it.
    """
    gap = any(row.gap for row in rows)
    held = [row.memory for row in rows if row.memory is not None and not row.level]
    memory = memory_of_all(held) if held else None
    return Row(
        _TOTAL,
        "total",
        replace(report.total, self_=report.total),
        0,
        True,
        gap,
        gap,
        report.total,
        memory,
        parameters=all_parameters(row.parameters for row in rows if not row.level),
        batch=rows[0].batch,
    )

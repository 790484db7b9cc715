"""The operators as a table."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from dispatchcount.render.columns import (
    CellValue,
    Column,
    marked,
    metric,
    order,
    pick,
    show_percent,
)
from dispatchcount.render.console.grid import Cells, Grid, heat
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import plural
from dispatchcount.render.plain import Printable
from dispatchcount.render.summary import footer, summary
from dispatchcount.render.top import check_top
from dispatchcount.report import derived
from dispatchcount.report.coverage import KNOWN, statuses
from dispatchcount.report.metrics import METRICS, Stats
from dispatchcount.report.model import ReportData

COLUMNS = (
    "operator",
    "calls",
    "flops",
    "share",
    "arithmetic",
    "activations",
    "bytes_read",
    "bytes_written",
    "intensity",
)
"""Those shown; what is sorted by and time are added where they are not among them."""


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An operator as a line of the table.

    Attributes:
        op: its name.
        stats: its figures.
        statuses: how its calls were counted.
        total: the whole report's figures, for shares.
    """

    op: str
    stats: Stats
    statuses: tuple[str, ...]
    total: Stats


def _share(row: OperatorRow) -> float | None:
    return derived.share(row.stats, row.total)


def _status(row: OperatorRow) -> str:
    return ", ".join(row.statuses)


def _measured(row: OperatorRow) -> Stats | None:
    return row.stats if row.stats.time_ns else None


def _counted(row: OperatorRow) -> Stats | None:
    """Its figures, unless no call of it could be counted."""
    return row.stats if set(KNOWN) & set(row.statuses) else None


def _known(row: OperatorRow) -> Stats:
    """Its figures of what is known without a rule: bytes follow from the operands."""
    return row.stats


def _gap(row: OperatorRow) -> bool:
    return bool(set(row.statuses) - set(KNOWN))


def _mark(row: OperatorRow) -> str:
    return marked(row.stats, "flops", _gap(row))


def _calls(row: OperatorRow) -> CellValue:
    return row.stats.calls


OPERATOR_COLUMNS: dict[str, Column[OperatorRow]] = {
    "operator": Column("operator", lambda row: row.op),
    "status": Column("status", _status),
    "calls": Column("calls", _calls),
    "flops": metric("flops", _counted, _gap),
    "share": Column("share", lambda row: _share(row) if _counted(row) else None, show_percent),
    **{
        one.key: metric(one.key, _known if one.unit == "bytes" else _counted, _gap)
        for one in METRICS
        if one.additive and not one.measured and one.key != "flops"
    },
    "intensity": Column("flops/byte", lambda row: derived.intensity(_counted(row)), mark=_mark),
    "time_ns": metric("time_ns", _measured, _gap),
    "flops_per_s": Column("flops/s", lambda row: derived.rate(_counted(row)), mark=_mark),
}
"""By the name that `Report.operators` sorts by."""


def operator_table(
    report: ReportData,
    *,
    top: int | None = 15,
    sort: str = "flops",
    exact: bool = False,
    notes: bool = True,
) -> Printable:
    """The operators that ran, biggest first, and below them what the numbers mean and leave out.

    Args:
        report: the report.
        top: how many to show, None for all.
        sort: the column to order them by, any of `OPERATOR_COLUMNS`; biggest numbers come first,
            texts go from A to Z.
        exact: show every digit.
        notes: False leaves out what is said of the whole report, for a reader who has just read
            it below another table.

    Raises:
        ValueError: `sort` is not known or `top` is negative.
    """
    check_top(top, "operators")
    key = order(pick(OPERATOR_COLUMNS, [sort], "sort")[sort])
    rows = sorted(operator_rows(report), key=key)
    shown = rows[:top]
    names = list(COLUMNS)
    names += ["time_ns", "flops_per_s"] if report.total.time_ns else []
    names += ["status"] if any(set(row.statuses) - set(KNOWN) for row in rows) else []
    names += [sort] if sort not in names else []
    cells = [
        Cells(
            OPERATOR_COLUMNS[name].header,
            [OPERATOR_COLUMNS[name].text(row, exact) for row in shown],
            name in ("operator", "status"),
            [_style(name, row) for row in shown],
            name in ("flops", "share", sort),
        )
        for name in names
    ]
    left_out = len(rows) - len(shown)
    lines = (
        [
            (
                "hidden",
                f"{plural(left_out, 'operator')} after the first {len(shown):,}; "
                f"{hint('top=None', '--top all')} shows all",
                "dim",
            )
        ]
        if left_out
        else []
    )
    lines += summary(report, exact=exact) if notes else []
    below: list[RenderableType] = [Text(), footer(lines)] if lines else []
    return Printable(Group(Grid(cells), *below))


def operator_rows(report: ReportData) -> list[OperatorRow]:
    """The operators that ran; of those with equal flops the one that moves more bytes first."""
    ways = statuses(report)
    rows = sorted(report.by_operator().items(), key=lambda row: -derived.nbytes(row[1]))
    return [OperatorRow(op, stats, ways[op], report.total) for op, stats in rows]


def _style(name: str, row: OperatorRow) -> str:
    if _counted(row) is None:
        return "red"
    return heat(_share(row)) if name in ("operator", "flops", "share") else ""

"""The modules as a tree, each with a bar for its share."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, measured, telling
from dispatchcount.render.console.grid import DRAWN, Cells, Grid, bar, beyond, heat
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import Depth, Row, select
from dispatchcount.render.summary import folded, footer, hidden, shared, summary
from dispatchcount.report.model import ReportData

_BAR = 10


def module_tree(
    report: ReportData,
    *,
    depth: Depth = None,
    min_share: float = 0.0,
    exact: bool = False,
    fold: bool = True,
) -> Printable:
    """The modules as a tree with guides and a bar for each module's share of all flops.

    It shows type, flops and share, and time and memory where they were measured.

    Args:
        report: the report.
        depth: as of `module_table`, but all by default.
        min_share: hide modules below this share of all flops, 0.01 for 1 %.
        exact: show every digit.
        fold: True to show equal siblings as one row with their sum; see
            `dispatchcount.report.fold.Folding`.

    Raises:
        ValueError: `depth` is negative or `min_share` is not within 0 and 1.
    """
    selection = select(report, depth, min_share, fold=fold)
    rows = telling(selection.rows, ["flops"])
    styles = ["red" if row.own_gap else heat(row.share, row.level) for row in rows]
    more = measured(report)
    # With figures of three kinds or more they must be told apart; flops and share need no header.
    headers = {
        name: MODULE_COLUMNS[name].header if more else ""
        for name in ("name", "type", "flops", "share", *more)
    }
    figures = {
        name: [MODULE_COLUMNS[name].text(row, exact) for row in rows]
        for name in ("flops", "share", *more)
    }
    columns = [
        Cells(
            headers["name"], [clean(row.name) for row in rows], True, styles, leads=_guides(rows)
        ),
        Cells(headers["type"], [clean(row.module.type) for row in rows], True, ["dim"] * len(rows)),
        *(Cells(headers[name], texts, False, styles, keep=True) for name, texts in figures.items()),
        Cells("", [bar(row.share or 0, _BAR) for row in rows], True, styles),
    ]
    lines = hidden(selection) + folded(selection) + shared(selection) + summary(report, exact=exact)
    return Printable(Group(Grid(columns), Text(), footer(lines)))


def _guides(rows: list[Row]) -> list[str]:
    """For each row the lines that lead to it from the rows above.

    Of the levels beyond `DRAWN` it has only their number.
    """
    leads = []
    # At which of the levels that are drawn another row follows further down.
    open_levels = [False] * (DRAWN + 1)
    for row in reversed(rows):
        drawn = min(row.level, DRAWN)
        lines = ["│   " if open_levels[level] else "    " for level in range(1, drawn)]
        fork = [("├── " if open_levels[drawn] else "└── ")] if drawn else []
        leads.append("".join(lines + fork) + beyond(row.level))
        open_levels[drawn:] = [True] + [False] * (DRAWN - drawn)
    return leads[::-1]

"""The modules as a tree, each with a bar for its share."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, telling
from dispatchcount.render.grid import Cells, Grid, bar, heat
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import Row, select
from dispatchcount.render.summary import footer, hidden, shared, summary
from dispatchcount.report.model import Report

_BAR = 10


def module_tree(report: Report, *, depth: int | None = None, min_share: float = 0.0, exact: bool = False) -> Printable:
    """The modules as a tree with guides: type, flops, share of all flops and a bar of it.

    Args:
        report: the report.
        depth: levels below the root to show, None for all.
        min_share: hide modules below this share of all flops, 0.01 for 1 %.
        exact: show every digit.

    Raises:
        ValueError: `depth` is negative or `min_share` is not within 0 and 1.
    """
    selection = select(report, depth, min_share)
    rows = telling(selection.rows, ["flops"])
    styles = ["red" if row.own_gap else heat(row.share, row.level) for row in rows]
    figures = [[MODULE_COLUMNS[name].text(row, exact) for row in rows] for name in ("flops", "share")]
    columns = [
        Cells("", [clean(row.label) for row in rows], True, styles, leads=_guides(rows)),
        Cells("", [clean(row.module.type) for row in rows], True, ["dim"] * len(rows)),
        *(Cells("", texts, False, styles, keep=True) for texts in figures),
        Cells("", [bar(row.share or 0, _BAR) for row in rows], True, styles),
    ]
    lines = hidden(selection) + shared(selection) + summary(report, exact=exact)
    return Printable(Group(Grid(columns), Text(), footer(lines)))


def _guides(rows: list[Row]) -> list[str]:
    """For each row the lines that lead to it from the rows above."""
    leads = []
    open_levels: set[int] = set()  # those at which another row follows further down
    for row in reversed(rows):
        lines = ["│   " if level in open_levels else "    " for level in range(1, row.level)]
        fork = [("├── " if row.level in open_levels else "└── ")] if row.level else []
        leads.append("".join(lines + fork))
        open_levels = {level for level in open_levels if level < row.level} | {row.level}
    return leads[::-1]

"""What `print(report)` shows: where the flops go, and below it the table of modules."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from dispatchcount.render.console.biggest import TOP, where_it_goes
from dispatchcount.render.console.table import module_table
from dispatchcount.render.plain import Printable
from dispatchcount.render.select import AUTO, ROWS, Depth
from dispatchcount.report.model import ReportData

_BELOW = ROWS - 2 * TOP - 2
"""Rows of the table by default: it shares the window with `TOP` modules and operators, and a line
above and below them.
"""


def overview(
    report: ReportData,
    *,
    top: int | None = TOP,
    depth: Depth = AUTO,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    min_share: float = 0.0,
    exact: bool = False,
    fold: bool = True,
    batch: int | None = None,
) -> Printable:
    """The biggest modules and operators, and below them the module table.

    Args:
        report: the report.
        top: how many of the biggest modules and of the biggest operators, None for all, 0 for none.
        depth: as of `module_table`.
        columns: as of `module_table`.
        sort: as of `module_table`.
        min_share: as of `module_table`.
        exact: show every digit.
        fold: True to show equal siblings as one row with their sum.
        batch: as of `module_table`.

    Raises:
        ValueError: `top` is negative, or `module_table` refuses an argument.
    """
    biggest = where_it_goes(report, top=top, exact=exact, fold=fold) if top != 0 else None
    table = module_table(
        report,
        depth=depth,
        columns=columns,
        sort=sort,
        min_share=min_share,
        exact=exact,
        fold=fold,
        batch=batch,
        most=ROWS if biggest is None else _BELOW,
    )
    return table if biggest is None else Printable(Group(biggest, Text(), table))

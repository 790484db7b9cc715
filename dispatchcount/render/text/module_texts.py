"""The module table as texts with full names: what its forms in Markdown and LaTeX are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispatchcount.render.columns import MODULE_COLUMNS, measured, order, pick, telling
from dispatchcount.render.console.table import COLUMNS, LEFT
from dispatchcount.render.select import Depth, select
from dispatchcount.render.summary import Line, folded, hidden, per_sample, shared, summary
from dispatchcount.report.model import ReportData


@dataclass(frozen=True)
class ModuleTexts:
    """A table of texts.

    Attributes:
        headers: what stands over the columns; the first is that of the full names.
        left: for each column, True if it is text.
        rows: the cells, row by row.
        notes: what stands below the table.
    """

    headers: list[str]
    left: list[bool]
    rows: list[list[str]]
    notes: list[Line]


def module_texts(
    report: ReportData,
    depth: Depth,
    *,
    columns: Sequence[str] | None,
    sort: str | None,
    exact: bool,
    fold: bool,
    batch: int | None,
) -> ModuleTexts:
    """The table as of `module_table`, whose arguments these are; the full name always comes first.

    Raises:
        ValueError: `depth` is no depth, a column or `sort` is not known, or `batch` is no number of
            items.
    """
    key = None if sort is None else order(pick(MODULE_COLUMNS, [sort], "sort")[sort])
    selection = select(report, depth, key=key, fold=fold, batch=batch)
    if columns is None:
        columns = (*COLUMNS, *measured(report), *([] if sort is None else [sort]))
    picked = pick(MODULE_COLUMNS, columns, "column")
    names = ["path", *(name for name in picked if name not in ("name", "path"))]
    chosen = [MODULE_COLUMNS[name] for name in names]
    about_rows = hidden(selection) + folded(selection) + shared(selection)
    about_rows += per_sample(report, names, batch)
    return ModuleTexts(
        ["module", *(column.header for column in chosen[1:])],
        [name in LEFT for name in names],
        [[column.text(row, exact) for column in chosen] for row in telling(selection.rows, names)],
        about_rows + summary(report, exact=exact),
    )

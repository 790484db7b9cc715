"""Where it goes: the biggest modules and operators by their own work, on ten lines."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, order
from dispatchcount.render.console.grid import Cells, Grid, bar, heat
from dispatchcount.render.console.operators import OPERATOR_COLUMNS, operator_rows
from dispatchcount.render.numbers import percent
from dispatchcount.render.plain import clean
from dispatchcount.render.select import select
from dispatchcount.render.top import check_top
from dispatchcount.report import derived
from dispatchcount.report.model import ReportData

TOP = 5
"""Modules, and operators, that are named: together they make the ten lines."""

_BAR = 10


def where_it_goes(
    report: ReportData, *, top: int | None = TOP, exact: bool = False, fold: bool = True
) -> RenderableType | None:
    """The biggest modules by what they do without their children, then the biggest operators.

    Args:
        report: the report.
        top: how many of each, None for all.
        exact: show every digit.
        fold: True to add up the same part of equal siblings.

    Returns:
        A table, or None where nothing that ran has flops.

    Raises:
        ValueError: `top` is negative.
    """
    check_top(top, "modules")
    if not report.flops:
        return None
    own = MODULE_COLUMNS["self_flops"]
    modules = sorted(select(report, fold=fold).rows, key=order(own))
    modules = [row for row in modules if row.ran and own.value(row)][:top]
    flops = OPERATOR_COLUMNS["flops"]
    operators = [row for row in sorted(operator_rows(report), key=order(flops)) if flops.value(row)]
    operators = operators[:top]
    shares = [derived.share(row.stats.self_, row.total) or 0.0 for row in modules]
    shares += [derived.share(row.stats, row.total) or 0.0 for row in operators]
    styles = [heat(share) for share in shares]
    names = [MODULE_COLUMNS["path"].text(row, exact) for row in modules]
    names += [clean(row.op) for row in operators]
    kinds = [clean(row.module.type) for row in modules]
    kinds += ["operator"] * len(operators)
    figures = [own.text(row, exact) for row in modules]
    figures += [flops.text(row, exact) for row in operators]
    columns = [
        Cells("", names, True, styles),
        Cells("", kinds, True, ["dim"] * len(kinds)),
        Cells("", figures, styles=styles, keep=True),
        Cells("", [percent(share) for share in shares], styles=styles, keep=True),
        Cells("", [bar(share, _BAR) for share in shares], True, styles),
    ]
    title = "Where it goes: flops of modules without their children, and of operators"
    return Group(Text(title, "bold"), Grid(columns))

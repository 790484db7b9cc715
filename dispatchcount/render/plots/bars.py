"""The biggest modules as bars."""

from __future__ import annotations

from typing import Any

from dispatchcount.render.columns import MODULE_COLUMNS
from dispatchcount.render.numbers import in_unit, percent, plural
from dispatchcount.render.plain import tail
from dispatchcount.render.plots.figure import (
    OTHER,
    about,
    colours,
    legend,
    metric_named,
    new_figure,
    scale,
    title,
    verbatim,
)
from dispatchcount.render.select import Row, select
from dispatchcount.report.model import ReportData

LONGEST_NAME = 48


def bars(report: ReportData, metric: str, top: int | None) -> Any:
    """A bar for each of the biggest modules, as long as what it has without its children.

    Equal siblings are one bar. The last bar is the sum of the modules that are not named.
    """
    shown = metric_named(metric)

    def own(row: Row) -> int:
        return 0 if row.stats.self_ is None else shown.value(row.stats.self_)

    rows = [row for row in select(report, fold=True).rows if own(row)]
    rows.sort(key=own, reverse=True)
    named, rest = rows[:top], rows[len(rows[:top]) :]
    whole = sum(map(own, rows))
    values = [own(row) for row in named] + [sum(map(own, rest))] * bool(rest)
    texts = [verbatim(tail(MODULE_COLUMNS["path"].text(row, False), LONGEST_NAME)) for row in named]
    texts += [plural(sum(row.members for row in rest), "other module")] * bool(rest)
    shades = colours(row.module.type for row in named)
    fills = [shades.get(row.module.type, OTHER) for row in named] + [OTHER] * bool(rest)

    figure = new_figure(9, 1.6 + 0.32 * max(1, len(values)))
    axes = figure.add_subplot()
    places = range(len(values))
    drawn = axes.barh(places, list(map(float, values)), color=fills)
    write = in_unit(shown.unit)
    shares = [f" {write(value, False)}  {percent(value / whole)}" for value in values]
    axes.bar_label(drawn, shares, fontsize=8)
    axes.set_yticks(places, texts, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.22, y=0.01)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"{about(report, shown)} of a module without its children")
    axes.set_title(title(report))
    scale(axes, shown.unit)
    legend(axes, shades, others=OTHER in fills)
    return figure

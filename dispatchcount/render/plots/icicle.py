"""The tree of modules as an icicle: every module as wide as what it costs, below its parent."""

from __future__ import annotations

from typing import Any

from dispatchcount.render.numbers import percent
from dispatchcount.render.plain import tail
from dispatchcount.render.plots.figure import (
    OTHER,
    about,
    colours,
    ink,
    legend,
    metric_named,
    new_figure,
    scale,
    title,
    verbatim,
)
from dispatchcount.render.select import Row, select
from dispatchcount.report.model import ReportData

DEPTH = 6
"""Levels below the root if nobody says how many."""

_LEVEL = 0.62
"""Inches of a level: two lines of text."""

_NARROWEST = 1 / 3000
"""The part of the whole width below which a module cannot be seen."""

_PADDING = 6
"""Pixels that a text leaves free in its box."""


def icicle(report: ReportData, metric: str, depth: int | None) -> Any:
    """A box for each module, as wide as its figure with its children's, which lie below it.

    What is free below a box is what the module did itself. Equal siblings are one box.
    """
    shown = metric_named(metric)
    rows = [row for row in select(report, depth, fold=True).rows if shown.value(row.stats)]
    whole = sum(shown.value(row.stats) for row in rows if not row.level) or 1

    # Where each box begins: behind those to its left on its level, under its parent.
    boxes: list[tuple[Row, int, int]] = []
    free = [0]
    for row in rows:
        width, start = shown.value(row.stats), free[row.level]
        free[row.level :] = [start + width, start]
        if width >= whole * _NARROWEST:
            boxes.append((row, start, width))
    levels = 1 + max((row.level for row, _, _ in boxes), default=0)

    # The types that have most colour get a colour of their own.
    area: dict[str, int] = {}
    for row, _, width in boxes:
        area[row.module.type] = area.get(row.module.type, 0) + width
    shades = colours(sorted(area, key=lambda kind: -area[kind]))

    figure = new_figure(11, 1.5 + _LEVEL * levels)
    axes = figure.add_subplot()
    for row, start, width in boxes:
        fill = shades.get(row.module.type, OTHER)
        axes.barh(
            row.level, float(width), left=float(start), height=1, color=fill, edgecolor="white"
        )
    axes.set_xlim(0, float(whole))
    axes.set_ylim(levels - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(about(report, shown))
    axes.set_title(title(report))
    scale(axes, shown.unit)
    legend(axes, shades, others=len(area) > len(shades))
    figure.draw_without_rendering()  # The boxes get their place, so that texts can be measured.
    for row, start, width in boxes:
        _name(axes, row, start, width, whole, ink(shades.get(row.module.type, OTHER)))
    return figure


def _name(axes: Any, row: Row, start: int, width: int, whole: int, colour: str) -> None:
    """Write a module's name and share into its box, as much of it as fits whole.

    A name is never cut: a part of it may be another module's name.
    """
    name, share = verbatim(tail(row.label)), percent(width / whole)
    left, right = axes.transData.transform([(float(start), 0), (float(start + width), 0)])[:, 0]
    for content in (f"{name}\n{share}", name):
        text = axes.text(
            float(start) + float(width) / 2,
            row.level,
            content,
            ha="center",
            va="center",
            fontsize=8,
            color=colour,
            clip_on=True,
        )
        text.set_in_layout(False)
        if text.get_window_extent().width + _PADDING <= right - left:
            return
        text.remove()

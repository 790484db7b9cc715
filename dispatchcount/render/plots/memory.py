"""The bytes that modules hold, as bars with a part for each kind."""

from __future__ import annotations

from typing import Any

from dispatchcount.render.columns import MODULE_COLUMNS
from dispatchcount.render.numbers import human, plural
from dispatchcount.render.plain import clean, named, tail
from dispatchcount.render.plots.bars import LONGEST_NAME
from dispatchcount.render.plots.figure import PALETTE, legend, new_figure, scale, title, verbatim
from dispatchcount.render.select import Row, select
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import MEMORY_KINDS

Held = tuple[int, ...]
"""Bytes of each of `MEMORY_KINDS`."""


def memory(report: ReportData, top: int | None) -> Any:
    """A bar for each of the modules that hold most by themselves; equal siblings are one bar.

    Raises:
        ValueError: memory was not followed.
    """
    if report.memory is None:
        raise ValueError(
            "the report says nothing of memory; ask for it: profile(model, memory=True)"
        )
    own = _own(select(report, fold=True).rows)
    own.sort(key=lambda pair: -sum(pair[1]))
    kept, rest = own[:top], own[len(own[:top]) :]
    texts = [tail(MODULE_COLUMNS["path"].text(row, False), LONGEST_NAME) for row, _ in kept]
    rows = [held for _, held in kept]
    if rest:
        texts.append(plural(sum(row.members for row, _ in rest), "other module"))
        rows.append(tuple(map(sum, zip(*(held for _, held in rest), strict=True))))

    figure = new_figure(9, 1.9 + 0.32 * max(1, len(rows)))
    axes = figure.add_subplot()
    places = range(len(rows))
    start = [0.0] * len(rows)
    used: dict[str, str] = {}
    for place, kind in enumerate(MEMORY_KINDS):
        widths = [float(held[place]) for held in rows]
        if any(widths):
            used[kind] = PALETTE[place]
            axes.barh(places, widths, left=start, color=PALETTE[place])
            start = [a + b for a, b in zip(start, widths, strict=True)]
    for place, held in zip(places, rows, strict=True):
        axes.text(start[place], place, f" {human(sum(held), 'B')}", va="center", fontsize=8)
    axes.set_yticks(places, list(map(verbatim, texts)), fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("bytes that a module holds without its children")
    axes.set_title(f"{title(report)}\n{_peak(report)}", fontsize=10)
    scale(axes, "bytes")
    legend(axes, used, others=False)
    return figure


def _own(rows: tuple[Row, ...]) -> list[tuple[Row, Held]]:
    """What each row holds without the rows below it, those that hold anything."""
    held: list[list[int]] = []
    above: list[int] = []
    for place, row in enumerate(rows):
        figures = [0 if row.memory is None else getattr(row.memory, kind) for kind in MEMORY_KINDS]
        held.append(figures)
        del above[row.level :]
        if above:
            parent = held[above[-1]]
            for kind, figure in enumerate(figures):
                parent[kind] -= figure
        above.append(place)
    pairs = zip(rows, map(tuple, held), strict=True)
    return [(row, figures) for row, figures in pairs if any(figures)]


def _peak(report: ReportData) -> str:
    found = report.memory
    if found is None or not found.peak:
        return "no tensor was alive"
    place = (
        f"in {named(found.peak_module)} at {clean(found.peak_op)}"
        if found.peak_op
        else ("before the first operator")
    )
    return verbatim(f"peak: {human(found.peak, 'B')} of live tensors {place}")

"""A report as a picture, for a paper or a slide."""

from __future__ import annotations

from os import PathLike
from typing import Any

from dispatchcount.render.plots.bars import bars
from dispatchcount.render.plots.figure import save
from dispatchcount.render.plots.icicle import DEPTH, icicle
from dispatchcount.render.plots.memory import memory
from dispatchcount.render.top import check_top
from dispatchcount.report.model import ReportData

KINDS = ("bars", "icicle", "memory")
TOP = 15
"""Bars if nobody says how many."""


def plot(
    report: ReportData,
    kind: str = "bars",
    path: str | PathLike[str] | None = None,
    *,
    metric: str = "flops",
    top: int | None = TOP,
    depth: int | None = DEPTH,
) -> Any:
    """A `matplotlib.figure.Figure`; equal siblings are drawn as one.

    Args:
        report: the report.
        kind: ``"bars"``: the biggest modules by what they do without their children.
            ``"icicle"``: the tree of modules, each as wide as its figure. ``"memory"``: the bytes
            that modules hold, by kind.
        path: a file to write as well; its ending says in which form: .png, .svg, .pdf.
        metric: what bars and boxes are as long as: ``"flops"``, ``"params"``, ``"bytes"`` …
        top: bars to draw, None for all.
        depth: levels of an icicle below the root, None for all.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there is no such kind or metric, `top` or `depth` is negative, or memory was
            not followed.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is no kind of plot; it is {', '.join(map(repr, KINDS))}")
    check_top(top, "modules")
    if kind == "memory":
        figure = memory(report, top)
    elif kind == "icicle":
        figure = icicle(report, metric, depth)
    else:
        figure = bars(report, metric, top)
    return save(figure, path)

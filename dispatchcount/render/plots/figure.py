"""What all pictures share: a figure, colours for types of modules, axes with units."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any

from dispatchcount.render.plain import clean, cut, first_line
from dispatchcount.report.metrics import BY_KEY, SUMS, Metric
from dispatchcount.report.model import ReportData

PALETTE = (
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5",
    "#9c6b4e",
)  # fmt: skip
"""Colours that can be told apart, in the order in which they are given out."""

OTHER = "#9498a0"
"""The colour of whatever has none of its own."""

_LONGEST_TITLE = 60


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches.

    It belongs to no window: `matplotlib.pyplot`, which keeps figures until they are closed, is not
    asked.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("a plot needs matplotlib: pip install 'dispatchcount[plot]'") from error
    from dispatchcount.render.plots.shown_figure import ShownFigure

    figure: Figure = ShownFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # It can measure texts.
    return figure


def save(figure: Any, path: str | PathLike[str] | None) -> Any:
    """The figure, written to `path` as well if there is one; its ending says in which form."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def metric_named(name: str) -> Metric:
    """The metric of that key.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    known = {**BY_KEY, **SUMS}
    if name not in known:
        raise ValueError(f"metric {name!r} is not known; it is one of {', '.join(known)}")
    return known[name]


def scale(axes: Any, unit: str) -> None:
    """Write the figures along the horizontal axis with decimal prefixes: ``2 G``, ``40 MB``."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6))
    suffix = {"bytes": "B", "nanoseconds": "s"}.get(unit, "")
    if unit == "nanoseconds":
        seconds = EngFormatter(suffix)
        axes.xaxis.set_major_formatter(lambda value, _: seconds(value / 1e9))
    else:
        axes.xaxis.set_major_formatter(EngFormatter(suffix))


def about(report: ReportData, metric: Metric) -> str:
    """What an axis shows: ``FLOPs (fvcore convention)``."""
    return metric.title + (f" ({report.convention} convention)" if metric.key == "flops" else "")


def title(report: ReportData) -> str:
    """The model by its label, or else by its class."""
    name = report.labels.get("model") or report.meta.model or "a block"
    return verbatim(cut(first_line(name), _LONGEST_TITLE))


def verbatim(text: str) -> str:
    """A text as matplotlib shows it as it stands: a ``$`` would begin a formula."""
    return clean(text).replace("$", r"\$")


def colours(types: Iterable[str]) -> dict[str, str]:
    """A colour for each of the first types; those that come after them have none."""
    return dict(zip(dict.fromkeys(types), PALETTE, strict=False))


def ink(colour: str) -> str:
    """Black or white, whichever can be read on a colour: by its luminance as W3C defines it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    luminance = sum(map(float.__mul__, (0.2126, 0.7152, 0.0722), linear))
    return "#000000" if luminance > 0.18 else "#ffffff"


def legend(axes: Any, shades: dict[str, str], *, others: bool) -> None:
    """Name the colours below the axes."""
    from matplotlib.patches import Patch

    named = {**shades, "other": OTHER} if others else shades
    handles = [Patch(color=colour, label=verbatim(name)) for name, colour in named.items()]
    axes.figure.legend(
        handles=handles, loc="outside lower center", ncols=min(5, len(handles) or 1), frameon=False
    )

"""The roofline as a picture: operators as points under the roofs of the dtypes they ran in."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.render.plots.figure import new_figure, save

if TYPE_CHECKING:
    from dispatchcount.hardware.roofline import Roofline, RooflineRow

_COLOURS = {"compute": "#c2410c", "memory": "#1d4ed8", "neither": "#6b7280"}
_NAMED = 8
"""How many of the operators with the longest time have their name in the picture."""


def roofline_plot(roof: Roofline, path: str | PathLike[str] | None = None) -> Any:
    """Flops a second against flops for each byte, both axes logarithmic.

    A point is an operator, as large as the time that it took. Without measured times a point lies
    on the roof, at the rate of its least time, and is as large as that time.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = new_figure(8, 5)
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log", xlabel="flops / byte", ylabel="flops / s")
    rows = [row for row in roof.by_operator().values() if row.intensity and row.least_seconds]
    _draw_roofs(axes, roof, rows)
    _draw_points(axes, rows)
    axes.set_title(f"Roofline on {roof.device}")
    axes.legend(loc="lower right")
    return save(figure, path)


def _draw_roofs(axes: Any, roof: Roofline, rows: list[RooflineRow]) -> None:
    """A line for each dtype with matrix products: bandwidth up to the ridge, the peak beyond."""
    device = roof.device
    intensities = [row.intensity for row in rows if row.intensity]
    if device.bandwidth is None:
        return
    for name, peak in roof.peaks.items():
        ridge = peak / device.bandwidth
        ends = [min([*intensities, ridge]) / 2, ridge, 2 * max([*intensities, ridge])]
        axes.plot(ends, [ends[0] * device.bandwidth, peak, peak], label=f"{name} roof")


def _draw_points(axes: Any, rows: list[RooflineRow]) -> None:
    whole = sum(row.seconds or row.least_seconds for row in rows)
    by_bound: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows:
        seconds = row.seconds or row.least_seconds
        point = (row.intensity or 0.0, row.flops / seconds, 30 + 1500 * seconds / whole)
        by_bound.setdefault(row.bound, []).append(point)
    for bound, points in by_bound.items():
        xs, ys, sizes = zip(*points, strict=True)
        axes.scatter(xs, ys, s=sizes, c=_COLOURS[bound], alpha=0.5, label=f"{bound}-bound")
    longest = sorted(rows, key=lambda row: -(row.seconds or row.least_seconds))[:_NAMED]
    for row in longest:
        rate = row.flops / (row.seconds or row.least_seconds)
        axes.annotate(row.name.removeprefix("aten."), (row.intensity, rate), fontsize=7)

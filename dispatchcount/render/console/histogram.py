"""How the flops of many inputs are spread."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid, bar
from dispatchcount.render.numbers import every_digit, human
from dispatchcount.render.plain import Printable
from dispatchcount.render.summary import footer, summary
from dispatchcount.report.model import ReportData
from dispatchcount.report.samples import ranges

_WIDTH = 40


def histogram(report: ReportData, *, bins: int = 10) -> Printable:
    """The samples' flops in `bins` equal ranges, with a bar for how many fell into each.

    Raises:
        ValueError: the block had no samples, or `bins` is below 1.
    """
    if bins < 1:
        raise ValueError(f"bins={bins} makes no histogram; give a number from 1 up")
    report.distribution()  # raises if the block had no samples
    found = ranges(report.sample_flops(), bins)
    most = max(one.samples for one in found)
    table = Grid(
        [
            Cells("flops from", [human(one.least) for one in found]),
            Cells("to", [human(one.most) for one in found], keep=True),
            Cells("samples", [every_digit(one.samples) for one in found], keep=True),
            Cells(
                "",
                [bar(one.samples / most, _WIDTH) for one in found],
                left=True,
                styles=["cyan"] * len(found),
            ),
        ]
    )
    return Printable(Group(table, Text(), footer(summary(report))))

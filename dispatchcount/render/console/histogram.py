"""How the flops of many inputs are spread."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid, bar
from dispatchcount.render.numbers import every_digit, human
from dispatchcount.render.plain import Printable
from dispatchcount.render.summary import footer, summary
from dispatchcount.report.model import ReportData

_WIDTH = 40


def histogram(report: ReportData, *, bins: int = 10) -> Printable:
    """The samples' flops in `bins` equal ranges, with a bar for how many fell into each.

    Raises:
        ValueError: the block had no samples, or `bins` is below 1.
    """
    if bins < 1:
        raise ValueError(f"bins={bins} makes no histogram; give a number from 1 up")
    spread = report.distribution()
    width = (spread.max - spread.min) // bins + 1
    numbers = [0] * ((spread.max - spread.min) // width + 1)
    for flops in report.sample_flops():
        numbers[(flops - spread.min) // width] += 1
    edges = [spread.min + i * width for i in range(len(numbers))]
    most = max(numbers)
    table = Grid(
        [
            Cells("flops from", [human(edge) for edge in edges]),
            Cells("to", [human(min(edge + width - 1, spread.max)) for edge in edges], keep=True),
            Cells("samples", [every_digit(number) for number in numbers], keep=True),
            Cells(
                "",
                [bar(number / most, _WIDTH) for number in numbers],
                left=True,
                styles=["cyan"] * len(numbers),
            ),
        ]
    )
    return Printable(Group(table, Text(), footer(summary(report))))

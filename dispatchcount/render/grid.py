"""Rich tables in the one style that all of the package's tables have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dispatchcount.render.columns import aligned

_RULED = Box("    \n    \n ── \n    \n ── \n ── \n    \n    \n")
_GAP = 2
_LEAST = 12


@dataclass(slots=True)
class Cells:
    """A column of a table to be: its header and its cells from top to bottom.

    Attributes:
        header: what stands over it.
        texts: the cells.
        left: whether it is text, left-aligned, or numbers, whose units are aligned.
        styles: a rich style for each cell, or none at all.
        keep: whether a narrow console must show it.
    """

    header: str
    texts: Sequence[str]
    left: bool = False
    styles: Sequence[str] = field(default=())
    keep: bool = False

    def __post_init__(self) -> None:
        if not self.left:
            self.texts = aligned(self.texts)

    @property
    def width(self) -> int:
        """Cells that it takes on a console."""
        return max(map(cell_len, (self.header, *self.texts)))


class Grid:
    """A table that shows every cell in full.

    On a console too narrow for all columns, those that need not be kept are left out from the right on, and a line below says so.
    Only if even the kept ones do not fit, the first folds. A rule stands over the last row if it is a total.
    """

    def __init__(self, columns: Sequence[Cells], *, total: bool = False) -> None:
        self.columns = list(columns)
        self.widths = [column.width for column in columns]
        self.total = total

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_LEAST, self._width(range(len(self.columns)))).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = list(range(len(self.columns)))
        for index in [i for i in reversed(shown) if i and not self.columns[i].keep]:
            if self._width(shown) > options.max_width:
                shown.remove(index)
        yield self._table(shown, options.max_width)
        hidden = [column.header for i, column in enumerate(self.columns) if i not in shown]
        if hidden:
            yield Text(f"The console is too narrow for: {', '.join(hidden)}", "dim")

    def _width(self, shown: Sequence[int]) -> int:
        return sum(self.widths[i] for i in shown) + _GAP * (len(shown) - 1)

    def _table(self, shown: list[int], width: int) -> Table:
        table = Table(box=_RULED, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="bold")
        excess = max(0, self._width(shown) - width)
        for i in shown:
            column = self.columns[i]
            fitting = self.widths[i] if i or not excess else max(_LEAST, self.widths[i] - excess)
            table.add_column(Text(column.header), width=fitting, justify="left" if column.left else "right", overflow="fold")
        rows = len(self.columns[0].texts)
        for row in range(rows):
            cells = [Text(c.texts[row], c.styles[row] if c.styles else "") for c in (self.columns[i] for i in shown)]
            table.add_row(*cells, end_section=self.total and row == rows - 2)
        return table


def heat(share: float | None, level: int = 1) -> str:
    """The style of a row by its share of the total, so that the big ones are found at a glance; top rows are just bold."""
    if share is None or not share:
        return "dim"
    if not level:
        return "bold"
    return "bold red" if share >= 0.2 else "yellow" if share >= 0.05 else "" if share >= 0.005 else "dim"


_BLOCKS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A bar of `share` of `width` cells, to an eighth of a cell; something is always there unless `share` is 0."""
    eighths = round(share * width * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")

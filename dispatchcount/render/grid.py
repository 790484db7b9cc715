"""Tables in the one style that all of the package's tables have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from dispatchcount.render.columns import aligned

_GAP = "  "
_LEAST = 12
_FOLDED = {"├── ": "│   ", "└── ": "    "}


@dataclass(slots=True)
class Cells:
    """A column of a table to be: its header and its cells from top to bottom.

    Attributes:
        header: what stands over it.
        texts: the cells.
        left: whether it is text, left-aligned, or numbers, whose units are aligned.
        styles: a rich style for each cell, or none at all.
        keep: whether a narrow console must show it.
        leads: what stands before each cell to show its depth, or nothing at all.
    """

    header: str
    texts: Sequence[str]
    left: bool = False
    styles: Sequence[str] = field(default=())
    keep: bool = False
    leads: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if not self.left:
            self.texts = aligned(self.texts)
        self.styles = self.styles or [""] * len(self.texts)
        self.leads = self.leads or [""] * len(self.texts)

    @property
    def width(self) -> int:
        """Cells that it takes on a console."""
        return max((cell_len(lead) + cell_len(text) for lead, text in zip(self.leads, self.texts, strict=True)), default=0)


class Grid:
    """A rich renderable of a table that shows every cell in full, a line for each row.

    It is drawn here and not by `rich.table.Table`, which takes a second for a thousand rows. On a console too narrow for all
    columns, those that need not be kept are left out from the right on, and a line below says so. Only if even the kept ones do
    not fit, the first folds. Without any header there is no line for it; over the last row there is a rule if it is a total.
    """

    def __init__(self, columns: Sequence[Cells], *, total: bool = False) -> None:
        self.columns = list(columns)
        self.widths = [max(column.width, cell_len(column.header)) for column in columns]
        self.total = total

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_LEAST, self._width(range(len(self.columns)))).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = list(range(len(self.columns)))
        for index in [i for i in reversed(shown) if i and not self.columns[i].keep]:
            if self._width(shown) > options.max_width:
                shown.remove(index)
        excess = max(0, self._width(shown) - options.max_width)
        widths = [max(min(_LEAST, self.widths[0]), self.widths[0] - excess), *(self.widths[i] for i in shown[1:])]
        yield from self._lines(console, [self.columns[i] for i in shown], widths)
        hidden = [column.header for i, column in enumerate(self.columns) if i not in shown and column.header]
        if hidden:
            yield Text(f"The console is too narrow for: {', '.join(hidden)}", "dim")

    def _width(self, shown: Sequence[int]) -> int:
        return sum(self.widths[i] for i in shown) + len(_GAP) * (len(shown) - 1)

    def _lines(self, console: Console, columns: list[Cells], widths: list[int]) -> Iterator[Segment]:
        rule = Segment("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
        if any(column.header for column in columns):
            bold = console.get_style("bold")
            for i, (column, width) in enumerate(zip(columns, widths, strict=True)):
                yield from _cell("", column.header, bold, width, column.left, last=i == len(columns) - 1)
            yield from (Segment.line(), rule, Segment.line())
        for row in range(len(columns[0].texts)):
            if self.total and row == len(columns[0].texts) - 1:
                yield from (rule, Segment.line())
            yield from self._row(console, columns, widths, row)

    def _row(self, console: Console, columns: list[Cells], widths: list[int], row: int) -> Iterator[Segment]:
        first = columns[0]
        room = max(0, widths[0] - min(_LEAST, cell_len(first.texts[row])))
        lead = first.leads[row][:room]
        pieces = chop_cells(first.texts[row], widths[0] - cell_len(lead)) or [""]
        yield from _cell(lead, pieces[0], console.get_style(first.styles[row]), widths[0], first.left, last=len(columns) == 1)
        for i, column in enumerate(columns[1:], 1):
            style = console.get_style(column.styles[row])
            yield from _cell(column.leads[row], column.texts[row], style, widths[i], column.left, last=i == len(columns) - 1)
        yield Segment.line()
        for fork, line in _FOLDED.items():
            lead = lead.replace(fork, line)
        for piece in pieces[1:]:
            yield from _cell(lead, piece, console.get_style(first.styles[row]), widths[0], True, last=True)
            yield Segment.line()


def _cell(lead: str, text: str, style: Style, width: int, left: bool, *, last: bool) -> Iterator[Segment]:
    """A cell padded to its width, with a gap after it unless it is the last."""
    padding = " " * (width - cell_len(lead) - cell_len(text))
    if lead:
        yield Segment(lead, Style(dim=True))
    if not left:
        yield Segment(padding)
    yield Segment(text, style)
    yield Segment((padding if left and not last else "") + ("" if last else _GAP))


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

"""Tables in the one style that all of the package's tables have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from dispatchcount.render.numbers import aligned

_GAP = "  "
_NAME = 24
"""Cells up to which the name of a group makes the group's columns wider."""

_LEAST = 12
"""Cells down to which texts fold so that all columns fit."""

_NARROWEST = 4
"""Cells down to which anything folds where that is not enough."""
_FOLDED = {"├── ": "│   ", "└── ": "    "}


@dataclass(slots=True)
class Cells:
    """A column of a table to be: its header and its cells from top to bottom.

    Attributes:
        header: what stands over it.
        texts: the cells.
        left: True if it is text, left-aligned; else it is numbers, whose units are aligned.
        styles: a rich style for each cell, or none at all.
        keep: True if a narrow console must show it.
        leads: what stands before each cell to show its depth, or nothing at all.
        group: what stands over it and over its neighbours with the same group: whose figures they
            are.
    """

    header: str
    texts: Sequence[str]
    left: bool = False
    styles: Sequence[str] = field(default=())
    keep: bool = False
    leads: Sequence[str] = field(default=())
    group: str = ""

    def __post_init__(self) -> None:
        if not self.left:
            self.texts = aligned(self.texts)
        self.styles = self.styles or [""] * len(self.texts)
        self.leads = self.leads or [""] * len(self.texts)

    @property
    def width(self) -> int:
        """Cells that it takes on a console."""
        widths = (
            cell_len(lead) + cell_len(text)
            for lead, text in zip(self.leads, self.texts, strict=True)
        )
        return max(cell_len(self.header), max(widths, default=0))


@dataclass(slots=True)
class _Shown:
    """A column as it is drawn, and how wide."""

    column: Cells
    width: int


@dataclass(slots=True)
class _Cell:
    """A cell as it is drawn: `lead` and `text`, in `width` cells of the console."""

    width: int
    left: bool
    lead: str
    text: str
    style: Style

    def pieces(self) -> list[tuple[str, str]]:
        """What leads to each of the lines that it folds into, and what is on it."""
        lead, text = self.lead, self.text
        if cell_len(lead) + cell_len(text) <= self.width:
            return [(lead, text)]
        text = text.rstrip()
        lead = lead[: max(0, self.width - min(_LEAST, cell_len(text)))]
        first, *rest = chop_cells(text, max(2, self.width - cell_len(lead))) or [""]
        pieces = [(lead, first)]
        for fork, line in _FOLDED.items():
            lead = lead.replace(fork, line)
        return pieces + [(lead, piece) for piece in rest]


class Grid:
    """A rich renderable of a table that shows every cell in full, a line for each row.

    It is drawn here, because `rich.table.Table` takes ten times as long: 0.4 s for a thousand rows
    of six cells. Where the console is too narrow for all columns:

    1. Columns that need not be kept are left out, from the right on, and a line below names them.
    2. If even the kept ones do not fit, columns of text fold, the widest first.
    3. If that is not enough, the columns are drawn below one another, as many side by side as fit,
       each time after the first column.

    The name of a group stands over those of its columns that are shown, so that it is not lost with
    one of them. There is no line of headers if no column has one, and a rule above the last row if
    that is a total.
    """

    def __init__(self, columns: Sequence[Cells], *, total: bool = False) -> None:
        self.columns = list(columns)
        self.total = total

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_LEAST, _width(_laid_out(self.columns))).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width
        kept = list(self.columns)
        for column in [column for column in reversed(kept[1:]) if not column.keep]:
            if _width(_laid_out(kept)) > room:
                kept = [other for other in kept if other is not column]
        for number, panel in enumerate(_panels(kept, room)):
            if number:
                yield Segment.line()
            yield from self._lines(console, panel)
        hidden = [
            f"{column.group}: {column.header}" if column.group else column.header
            for column in self.columns
            if column.header and not any(column is other for other in kept)
        ]
        if hidden:
            yield Text(f"The console is too narrow for: {', '.join(hidden)}", "dim")

    def _lines(self, console: Console, shown: list[_Shown]) -> Iterator[Segment]:
        rule = Segment("─" * _width(shown))
        columns = [one.column for one in shown]
        bold = console.get_style("bold")
        if any(column.group for column in columns):
            yield from _line(
                [
                    _Cell(_width(group), True, "", group[0].column.group, bold)
                    for group in _groups(shown)
                ]
            )
        if any(column.header for column in columns):
            yield from _line(
                [_Cell(one.width, one.column.left, "", one.column.header, bold) for one in shown]
            )
            yield from (rule, Segment.line())
        for row in range(len(columns[0].texts)):
            if self.total and row == len(columns[0].texts) - 1:
                yield from (rule, Segment.line())
            yield from _line([_cell(console, one, row) for one in shown])


def _laid_out(columns: Sequence[Cells]) -> list[_Shown]:
    """The columns side by side, each as wide as its cells.

    Columns of a group are widened until the name of the group fits above them.
    """
    shown = [_Shown(column, column.width) for column in columns]
    for group in _groups(shown):
        group[-1].width += max(0, min(cell_len(group[0].column.group), _NAME) - _width(group))
    return shown


def _groups(shown: list[_Shown]) -> list[list[_Shown]]:
    """Neighbours of one group together."""
    return [list(group) for _, group in groupby(shown, key=lambda one: one.column.group)]


def _width(shown: Sequence[_Shown]) -> int:
    return sum(one.width for one in shown) + len(_GAP) * (len(shown) - 1)


def _panels(columns: list[Cells], room: int) -> list[list[_Shown]]:
    """The columns as one table, or as several that fit `room`.

    Each of several begins with the first column.
    """
    whole = _folded(columns, room)
    if _width(whole) <= room or len(columns) < 3:
        return [_squeezed(whole, room)]
    first, *others = columns
    parts = [[first, others[0]]]
    for column in others[1:]:
        if _width(_folded([*parts[-1], column], room)) <= room:
            parts[-1].append(column)
        else:
            parts.append([first, column])
    return [_squeezed(_folded(part, room), room) for part in parts]


def _folded(columns: list[Cells], room: int) -> list[_Shown]:
    """The columns, those of text narrowed until all fit.

    The widest is narrowed first, and none below what is good to read.
    """
    shown = _laid_out(columns)
    for one in sorted((one for one in shown if one.column.left), key=lambda one: -one.width):
        one.width -= min(max(0, _width(shown) - room), max(0, one.width - _LEAST))
    return shown


def _squeezed(shown: list[_Shown], room: int) -> list[_Shown]:
    """The columns, narrowed further if they do not fit.

    Figures fold before a console cuts them off.
    """
    for one in shown:
        one.width -= min(max(0, _width(shown) - room), max(0, one.width - _NARROWEST))
    return shown


def _cell(console: Console, one: _Shown, row: int) -> _Cell:
    column = one.column
    return _Cell(
        one.width,
        column.left,
        column.leads[row],
        column.texts[row],
        console.get_style(column.styles[row]),
    )


def _line(cells: list[_Cell]) -> Iterator[Segment]:
    """A row of a table, on as many lines as its highest cell folds into."""
    folded = [cell.pieces() for cell in cells]
    last = len(cells) - 1
    for number in range(max(map(len, folded))):
        for position, (cell, pieces) in enumerate(zip(cells, folded, strict=True)):
            lead, text = pieces[number] if number < len(pieces) else ("", "")
            padding = " " * (cell.width - cell_len(lead) - cell_len(text))
            if lead:
                yield Segment(lead, Style(dim=True))
            if not cell.left:
                yield Segment(padding)
            yield Segment(text, cell.style)
            yield Segment(
                (padding if cell.left and position != last else "")
                + ("" if position == last else _GAP)
            )
        yield Segment.line()


DRAWN = 32
"""Levels that are drawn.

The indent of a deeper row is written as a number: a table of a model 20,000 levels deep would be a
gigabyte of spaces.
"""


def indent(level: int) -> str:
    """What stands before a row of that level."""
    return "  " * min(level, DRAWN) + beyond(level)


def beyond(level: int) -> str:
    """How many levels a row is deeper than those drawn, as text; ``""`` if it is drawn."""
    return f"+{level - DRAWN} " if level > DRAWN else ""


def heat(share: float | None, level: int = 1) -> str:
    """The style of a row by its share of the total, so that the big ones are found at a glance.

    Top rows are just bold.
    """
    if share is None or not share:
        return "dim"
    if not level:
        return "bold"
    # Red is left for what is wrong: operators that could not be counted.
    return (
        "bold yellow"
        if share >= 0.2
        else "yellow"
        if share >= 0.05
        else ""
        if share >= 0.005
        else "dim"
    )


_BLOCKS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A bar of `share` of `width` cells, to an eighth of a cell.

    Something is there unless `share` is 0.
    """
    eighths = round(share * width * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")

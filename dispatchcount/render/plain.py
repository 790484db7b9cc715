"""Renderables that are also plain text, and text that is safe to show."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.terminal_theme import TerminalTheme

from dispatchcount.render.numbers import plural

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType, RenderResult

_WIDTH = 10_000_000

_BEGINS = 60
"""Characters of a table's first line that its `repr` has."""

_CELL = '<pre style="line-height:1.2;white-space:pre">{code}</pre>'

# Colours that can be read on a white page and on a black one. What is dim is half way between the
# two colours that stand first, the page's and that of text without a colour.
_THEME = TerminalTheme(
    (255, 255, 255),
    (0, 0, 0),
    [
        (110, 118, 129),
        (207, 34, 46),
        (31, 136, 61),
        (176, 115, 0),
        (9, 105, 218),
        (163, 80, 200),
        (20, 135, 145),
        (128, 136, 146),
    ],
)

ROOT = "(root)"

LONGEST = 200
"""Characters of a dotted name that lines of text show.

A module 20,000 levels deep has a name of 20,000 parts or more, and the names of all modules above
it together are as long as the square of that.
"""


class Printable:
    """A rich renderable whose `str` is plain text, the same wherever it is printed.

    On a rich console it has colours and folds what is wider than the console. As text it is as wide
    as it needs to be: nothing is cut, nothing is wrapped, and neither the terminal nor the
    environment is asked.
    """

    def __init__(self, renderable: RenderableType) -> None:
        self.renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.renderable

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self.renderable)

    def __str__(self) -> str:
        stream = StringIO()
        console = Console(
            file=stream,
            width=_WIDTH,
            height=100,
            color_system=None,
            force_terminal=False,
            force_jupyter=False,
            force_interactive=False,
            legacy_windows=False,
        )
        console.print(self.renderable, crop=False, end="")
        return "\n".join(line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n"))

    def __repr__(self) -> str:
        """How long it is and how it begins; `print` shows the rest, and so does a notebook."""
        lines = str(self).split("\n")
        begins = cut(" ".join(lines[0].split()), _BEGINS)
        return f"<table of {plural(len(lines), 'line')}: {begins}; print() shows it>"

    def _repr_html_(self) -> str:
        """The same text with its colours, for a notebook's cell."""
        console = Console(
            file=StringIO(),
            width=_WIDTH,
            height=100,
            color_system="standard",
            force_terminal=True,
            force_jupyter=False,
            legacy_windows=False,
            record=True,
        )
        console.print(self.renderable, crop=False)
        return console.export_html(theme=_THEME, code_format=_CELL, inline_styles=True)


def clean(text: str) -> str:
    r"""`text` on one line and without control characters.

    Those are shown as Python writes them: ``\n``, ``\x1b``.
    """
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def first_line(text: str) -> str:
    """The first line of an error's text, cleaned; ``…`` says that there were more."""
    lines = text.strip().splitlines() or [""]
    return clean(lines[0]) + (" …" if len(lines) > 1 else "")


def cut(text: str, most: int) -> str:
    """The first characters of `text`, at most so many; ``…`` says that there were more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def tail(name: str, most: int = LONGEST) -> str:
    """The end of a dotted name, which tells it from its neighbours.

    Args:
        name: the name.
        most: characters to keep; ``…`` stands for the others.
    """
    return name if len(name) <= most else f"…{name[1 - most :]}"


def named(name: str) -> str:
    """A module's name in a line of text.

    It is cleaned and at most `LONGEST` characters long; the root, whose name is empty, is
    ``(root)``.
    """
    return clean(tail(name)) or ROOT


def some(names: list[str] | tuple[str, ...], most: int, rest: str) -> str:
    """The first `most` names; how many more there are, and in `rest` where they are to be found."""
    text = ", ".join(named(name) for name in names[:most])
    return f"{text} and {len(names) - most:,} more ({rest})" if len(names) > most else text

"""Renderables that are also plain text, and text that is safe to show."""

from __future__ import annotations

import html
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType, RenderResult

_WIDTH = 10_000_000

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

    def _repr_html_(self) -> str:
        """The plain text as it is, for a notebook's cell."""
        return f'<pre style="line-height:1.2;white-space:pre">{html.escape(str(self))}</pre>'

    __repr__ = __str__


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

"""Pieces of GitHub Markdown in which no name is markup."""

from __future__ import annotations

from collections.abc import Iterable


def line(cells: Iterable[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """`text` as code in a table's cell.

    A bar must be escaped there even in code. The fence is longer than any run of backticks in the
    text.
    """
    fence = "`"
    while fence in text:
        fence += "`"
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", "\\|")


def escaped(text: str) -> str:
    """`text` as it stands, whatever Markdown would make of it."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|~#&" else c for c in text)

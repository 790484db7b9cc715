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


def link(text: str, address: str) -> str:
    """A link to an address, which may hold anything but what would end it.

    Raises:
        ValueError: the address is empty, or holds a line break or angle brackets.
    """
    if not address or any(c in address for c in "<>\n\r"):
        raise ValueError(
            f"{address!r} is not an address that Markdown can link to: it is empty, or holds < or >"
            " or a line break"
        )
    return f"[{escaped(text)}](<{address}>)"

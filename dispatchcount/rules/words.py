"""Long tables of operator names, written as text."""

from __future__ import annotations


def words(text: str) -> list[str]:
    """The names in a block of text, apart by white space."""
    return text.split()

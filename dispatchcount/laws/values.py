"""Checks of single values in a law's file. Each returns the value or says which place holds what
instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dispatchcount.report.json.value import JsonValue

T = TypeVar("T")

MOST_DIGITS = 100


def text(value: JsonValue) -> str:
    """A string."""
    if type(value.value) is not str:
        value.fail("a string")
    return str(value.value)


def texts(value: JsonValue) -> tuple[str, ...]:
    """An array of strings."""
    return tuple(text(item) for item in value.items())


def flag(value: JsonValue) -> bool:
    """True or false."""
    if type(value.value) is not bool:
        value.fail("true or false")
    return bool(value.value)


def count(value: JsonValue, most: int | None = None) -> int:
    """An integer from 0 up, at most `most`; a number, or a string of digits where it has more than
    64 bits.
    """
    found = value.value
    if type(found) is str and found.isascii() and found.isdigit() and len(found) <= MOST_DIGITS:
        found = int(found)
    if type(found) is not int or found < 0:
        value.fail("an integer from 0 up")
    if most is not None and found > most:
        value.fail(f"an integer up to {most}")
    return int(found)


def index(value: JsonValue, length: int, rows: str) -> int:
    """An integer that is the index of one of `length` `rows`."""
    if type(value.value) is not int or not 0 <= value.value < length:
        value.fail(
            f"an index of {rows}, from 0 to {length - 1}"
            if length
            else f"no index, for there are no {rows}"
        )
    return int(value.value)


def one_of(value: JsonValue, names: Sequence[str]) -> str:
    """A string out of `names`."""
    if type(value.value) is not str or value.value not in names:
        value.fail(f"one of {', '.join(names)}")
    return str(value.value)


def optional(value: JsonValue, read: Callable[[JsonValue], T]) -> T | None:
    """What `read` makes of the value, None where it is null."""
    return None if value.value is None else read(value)

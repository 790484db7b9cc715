"""JSON values together with the place they stand at, so that a wrong one is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from dispatchcount.errors import ReportError

LARGEST_NUMBER = 2**63 - 1
"""Integers beyond it are written as strings of digits: JSON readers keep 64 bits at most."""

_MOST_DIGITS = 100


class Node:
    """A JSON value, the file it is from and its place in it."""

    __slots__ = ("place", "source", "value")

    def __init__(self, value: Any, source: str, place: str = "") -> None:
        self.value, self.source, self.place = value, source, place

    def fail(self, expected: str) -> NoReturn:
        """Raise for this value.

        Raises:
            ReportError: always.
        """
        raise ReportError(
            f"{self.source}: {self.place or 'top level'}: expected {expected}, got {shown(self.value)}"
        )

    def __getitem__(self, key: str) -> Node:
        """The member `key` of an object; one that is missing fails."""
        if type(self.value) is not dict:
            self.fail("an object")
        place = f"{self.place}.{key}" if self.place else key
        if key not in self.value:
            raise ReportError(f"{self.source}: {place} is missing")
        return Node(self.value[key], self.source, place)

    def items(self) -> list[Node]:
        """The items of an array."""
        return [self.at(i) for i in range(len(self._array()))]

    def at(self, index: int) -> Node:
        """One item of an array."""
        return Node(self.value[index], self.source, f"{self.place}[{index}]")

    def text(self) -> str:
        """A string."""
        if type(self.value) is not str:
            self.fail("a string")
        return str(self.value)

    def flag(self) -> bool:
        """True or false."""
        if type(self.value) is not bool:
            self.fail("true or false")
        return bool(self.value)

    def count(self, most: int | None = None) -> int:
        """An integer from 0 up, at most `most`, as a number or as a string of digits."""
        value = self.value
        if (
            type(value) is str
            and value.isascii()
            and value.isdigit()
            and len(value) <= _MOST_DIGITS
        ):
            value = int(value)
        if type(value) is not int or value < 0:
            self.fail("an integer from 0 up")
        if most is not None and value > most:
            self.fail(f"an integer up to {most}")
        return int(value)

    def index(self, length: int, rows: str) -> int:
        """An integer that is a row's index among `length` `rows`."""
        if type(self.value) is not int or not 0 <= self.value < length:
            self.fail(_index_text(length, rows))
        return int(self.value)

    def one_of(self, names: Sequence[str]) -> str:
        """A string out of `names`."""
        if type(self.value) is not str or self.value not in names:
            self.fail(f"one of {', '.join(names)}")
        return str(self.value)

    def texts(self) -> tuple[str, ...]:
        """An array of strings."""
        if set(map(type, self._array())) - {str}:
            self._first(Node.text)
        return tuple(self.value)

    def counts(self) -> list[int]:
        """An array of counts."""
        values = self._array()
        if set(map(type, values)) <= {int} and (not values or min(values) >= 0):
            return values
        return [node.count() for node in self.items()]

    def counts_or_none(self) -> list[int | None]:
        """An array of counts and nulls."""
        if None not in self._array():
            return list(self.counts())
        return [None if node.value is None else node.count() for node in self.items()]

    def flags(self) -> list[bool]:
        """An array of true and false."""
        if set(map(type, self._array())) - {bool}:
            self._first(Node.flag)
        return list(self.value)

    def indices(self, length: int, rows: str) -> list[int]:
        """An array of indices among `length` `rows`."""
        values = self._array()
        if values and (set(map(type, values)) != {int} or min(values) < 0 or max(values) >= length):
            self._first(lambda node: node.index(length, rows))
        return values

    def optional(self, read: Callable[[Node], Any]) -> Any:
        """What `read` makes of the value, or None where it is null."""
        return None if self.value is None else read(self)

    def _array(self) -> list[Any]:
        if type(self.value) is not list:
            self.fail("an array")
        return self.value

    def _first(self, read: Callable[[Node], Any]) -> None:
        for node in self.items():
            read(node)


def number(value: int | float) -> int | float | str:
    """A count as the file holds it."""
    return str(value) if isinstance(value, int) and value > LARGEST_NUMBER else value


def numbers(values: list[Any]) -> list[Any]:
    """A column of counts and nulls as the file holds it."""
    return [v if v is None else number(v) for v in values]


def shown(value: Any) -> str:
    """A JSON value in a few words, for an error."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _index_text(length: int, rows: str) -> str:
    return (
        f"an index of {rows}, 0 to {length - 1}" if length else f"nothing, for there are no {rows}"
    )

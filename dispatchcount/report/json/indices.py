"""The types of columns that point at rows of another table, or of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from operator import lt
from typing import Any

from dispatchcount.report.json.types import JsonType, Known, OneOf, Plain, Schema, Strings
from dispatchcount.report.json.value import JsonValue

STRINGS = "record.strings"
"""The place of the texts that columns name by an index."""


class Index(Plain):
    """The index of a row in the table at a place of the file, ``"modules"``."""

    def __init__(self, table: str) -> None:
        self.table = table

    def read(self, value: JsonValue, known: Known) -> int:
        return _index(value, len(known[self.table]), self.table)

    def read_fast(self, values: list[Any], known: Known) -> list[int] | None:
        fast = set(map(type, values)) <= {int} and (
            not values or (min(values) >= 0 and max(values) < len(known[self.table]))
        )
        return values if fast else None

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": 0, "x-index-of": self.table}


class Parent(JsonType):
    """The index of an earlier row of the same table, or null for none, which is -1 in the report.

    It is for tables that stand once in a file: the place in the array is taken for the row's index.

    Args:
        table: the table's place in the file.
        rows: what its rows are called in errors, ``"paths"``.
        one_root: True if the first row, and no other, has no parent.
    """

    def __init__(self, table: str, rows: str, *, one_root: bool = False) -> None:
        self.table, self.rows, self.one_root = table, rows, one_root

    def write(self, value: Any, strings: Strings) -> Any:
        return value if value >= 0 else None

    def read(self, value: JsonValue, known: Known) -> int:
        if value.value is None and not (self.one_root and value.row):
            return -1
        return _index(value, value.row, f"earlier {self.rows}")

    def read_fast(self, values: list[Any], known: Known) -> list[int] | None:
        parents = [-1 if value is None else value for value in values]
        fast = (
            set(map(type, parents)) <= {int}
            and all(map(lt, parents, count()))
            and min(parents, default=0) >= -1
            and not (self.one_root and None in values[1:])
            and -1 not in values
        )
        return parents if fast else None

    def schema(self) -> Schema:
        return {"type": ["integer", "null"], "minimum": 0, "x-index-of": self.table}


class TextIndex(JsonType):
    """The index of a text in `record.strings`; the report has the text itself.

    Args:
        names: the texts that may occur; any text may if there are none.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.index, self.names = Index(STRINGS), names

    def write(self, value: Any, strings: Strings) -> int:
        return strings.index(value)

    def write_column(self, values: list[Any], strings: Strings) -> list[int]:
        # A column names few texts many times, so that a look-up for each value is the fast part.
        indices = {text: strings.index(text) for text in dict.fromkeys(values)}
        return [indices[text] for text in values]

    def read(self, value: JsonValue, known: Known) -> str:
        index = self.index.read(value, known)
        text: str = known[STRINGS][index]
        if self.names:  # the text is at fault then and not its index, so the error shows its place
            OneOf(self.names).read(JsonValue(text, value.source, f"{STRINGS}[{index}]"), known)
        return text

    def read_fast(self, values: list[Any], known: Known) -> list[str] | None:
        indices = self.index.read_fast(values, known)
        if indices is None:
            return None
        texts = known[STRINGS]
        if self.names and not {texts[index] for index in set(indices)} <= set(self.names):
            return None
        return [texts[index] for index in indices]

    def schema(self) -> Schema:
        return self.index.schema()


def _index(value: JsonValue, length: int, rows: str) -> int:
    """An index among `length` rows, which are called `rows` in the error."""
    index = value.value
    if type(index) is not int or not 0 <= index < length:
        value.fail(
            f"an index of {rows}, 0 to {length - 1}"
            if length
            else f"nothing, for there are no {rows}"
        )
    return index

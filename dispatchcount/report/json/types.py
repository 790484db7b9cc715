"""The types of values in a report's file. Each says how a value is written, read and described.

A type is an object, so that `format.py` can give each column one: ``COUNT``, ``ListOf(TEXT)``.
The tables in `table.py` are types as well, and have fields of other types. `indices.py` has the
types of fields that point at rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from dispatchcount.report.json.value import JsonValue

LARGEST_NUMBER = 2**63 - 1
"""Larger integers are written as strings of digits, because JSON readers keep 64 bits at most."""

_MOST_DIGITS = 100

Schema = dict[str, Any]

Known = dict[str, Sequence[Any]]
"""The tables read so far that others point into, by their place in the file, ``"modules"``."""


class Strings:
    """The texts of a file that is being written. Each is kept once, and columns hold its index."""

    def __init__(self) -> None:
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        """The index of a text, a new one if the text was not met before."""
        return self._indices.setdefault(text, len(self._indices))

    def __iter__(self) -> Iterator[str]:
        """All texts, each at its index."""
        return iter(self._indices)


class JsonType(ABC):
    """A type of values. A type for derived values alone does not implement `read`."""

    @abstractmethod
    def write(self, value: Any, strings: Strings) -> Any:
        """The JSON for a value of the report."""

    def write_column(self, values: list[Any], strings: Strings) -> list[Any]:
        """The JSON for many values of this type, an array."""
        return [self.write(value, strings) for value in values]

    def read(self, value: JsonValue, known: Known) -> Any:
        """The value of the report that some JSON stands for.

        Raises:
            ReportError: the JSON does not have this type; the message names the place.
            TypeError: the type is only written. Such values are worked out anew after loading.
        """
        raise TypeError(f"{type(self).__name__} is a type for derived values, which are not read")

    def read_column(self, value: JsonValue, known: Known) -> list[Any]:
        """The values in an array of this type.

        Raises:
            ReportError: the value is not an array, or an item does not have this type.
        """
        fast = self.read_fast(value.array(), known)
        return [self.read(item, known) for item in value.items()] if fast is None else fast

    def read_fast(self, values: list[Any], known: Known) -> list[Any] | None:
        """The same without the places of the items: None if one of them must be looked at alone.

        A big report has millions of values, and hardly a file has a wrong one. So all items are
        checked at once here, and `read` is left to find the wrong one and to name its place.
        """
        return None

    @abstractmethod
    def schema(self) -> Schema:
        """The type as JSON Schema 2020-12."""


class Plain(JsonType):
    """A type whose values are the same in the report and in the file."""

    def write(self, value: Any, strings: Strings) -> Any:
        return value

    def write_column(self, values: list[Any], strings: Strings) -> list[Any]:
        return values


class Text(Plain):
    """A string."""

    def read(self, value: JsonValue, known: Known) -> str:
        if type(value.value) is not str:
            value.fail("a string")
        return value.value

    def read_fast(self, values: list[Any], known: Known) -> list[str] | None:
        return values if set(map(type, values)) <= {str} else None

    def schema(self) -> Schema:
        return {"type": "string"}


class Flag(Plain):
    """True or false."""

    def read(self, value: JsonValue, known: Known) -> bool:
        if type(value.value) is not bool:
            value.fail("true or false")
        return value.value

    def read_fast(self, values: list[Any], known: Known) -> list[bool] | None:
        return values if set(map(type, values)) <= {bool} else None

    def schema(self) -> Schema:
        return {"type": "boolean"}


class Integer(Plain):
    """An integer that 64 bits hold, from `least` up to `most`."""

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        self.least, self.most = least, most

    def read(self, value: JsonValue, known: Known) -> int:
        number = _integer(value)
        if number < self.least:
            value.fail(f"an integer from {self.least} up")
        if self.most is not None and number > self.most:
            value.fail(f"an integer up to {self.most}")
        return number

    def schema(self) -> Schema:
        limits = {"minimum": self.least, "maximum": self.most}
        return {"type": "integer"} | {k: v for k, v in limits.items() if v is not None}


class ExactCount(JsonType):
    """An integer from 0 up, of any size."""

    def write(self, value: Any, strings: Strings) -> Any:
        return str(value) if value > LARGEST_NUMBER else value

    def write_column(self, values: list[Any], strings: Strings) -> list[Any]:
        # Hardly any column has such large numbers, and looking for one is faster than a loop.
        if max(values, default=0) <= LARGEST_NUMBER:
            return values
        return super().write_column(values, strings)

    def read(self, value: JsonValue, known: Known) -> int:
        return _integer(value)

    def read_fast(self, values: list[Any], known: Known) -> list[int] | None:
        fast = set(map(type, values)) <= {int} and min(values, default=0) >= 0
        return values if fast else None

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/count"}

    def definition(self) -> Schema:
        """What the schema says of counts, in one place that all of them refer to."""
        return {
            "description": (
                "An exact count: a number up to 2^63 - 1, and a string of digits beyond it, "
                "because JSON readers keep integers no further than that. (Readers that know only "
                "doubles, JavaScript among them, round above 2^53.)"
            ),
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^[1-9][0-9]{18,}$"},
            ],
        }


class Float(Plain):
    """A floating point number, which is derived."""

    def schema(self) -> Schema:
        return {"type": "number"}


class CountOrMean(JsonType):
    """A count, or the mean of two counts, which is derived."""

    def write(self, value: Any, strings: Strings) -> Any:
        return COUNT.write(value, strings) if type(value) is int else value

    def schema(self) -> Schema:
        return {"anyOf": [FLOAT.schema(), COUNT.schema()]}


class OneOf(Plain):
    """One of some strings."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def read(self, value: JsonValue, known: Known) -> str:
        if type(value.value) is not str or value.value not in self.names:
            value.fail(f"one of {', '.join(self.names)}")
        return value.value

    def schema(self) -> Schema:
        return {"enum": list(self.names)}


class Constant(Plain):
    """One value that never differs. It tells the reader which format and version a file has."""

    def __init__(self, value: str | int) -> None:
        self.value = value

    def schema(self) -> Schema:
        return {"const": self.value}


class Nullable(JsonType):
    """A value of another type, or null."""

    def __init__(self, inner: JsonType) -> None:
        self.inner = inner

    def write(self, value: Any, strings: Strings) -> Any:
        return None if value is None else self.inner.write(value, strings)

    def write_column(self, values: list[Any], strings: Strings) -> list[Any]:
        if None not in values:
            return self.inner.write_column(values, strings)
        return super().write_column(values, strings)

    def read(self, value: JsonValue, known: Known) -> Any:
        return None if value.value is None else self.inner.read(value, known)

    def read_fast(self, values: list[Any], known: Known) -> list[Any] | None:
        fast = self.inner.read_fast([value for value in values if value is not None], known)
        if fast is None or len(fast) == len(values):
            return fast
        rest = iter(fast)
        return [None if value is None else next(rest) for value in values]

    def schema(self) -> Schema:
        inner = self.inner.schema()
        if "type" in inner:
            return inner | {"type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}


class ListOf(JsonType):
    """An array of values of another type, a tuple in the report."""

    def __init__(self, inner: JsonType) -> None:
        self.inner = inner

    def write(self, value: Any, strings: Strings) -> Any:
        return self.inner.write_column(list(value), strings)

    def read(self, value: JsonValue, known: Known) -> tuple[Any, ...]:
        return tuple(self.inner.read_column(value, known))

    def read_fast(self, values: list[Any], known: Known) -> list[Any] | None:
        if not set(map(type, values)) <= {list}:
            return None
        fast = self.inner.read_fast(list(chain.from_iterable(values)), known)
        if fast is None:
            return None
        rest = iter(fast)
        return [tuple(islice(rest, len(value))) for value in values]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.inner.schema()}


class ByName(JsonType):
    """An object with any keys and with values of one type; the report has pairs or a dict."""

    def __init__(self, inner: JsonType) -> None:
        self.inner = inner

    def write(self, value: Any, strings: Strings) -> Any:
        pairs = dict(value)
        items = self.inner.write_column(list(pairs.values()), strings)
        return dict(zip(pairs, items, strict=True))

    def read(self, value: JsonValue, known: Known) -> tuple[tuple[str, Any], ...]:
        return tuple((key, self.inner.read(value[key], known)) for key in value.object())

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self.inner.schema()}


TEXT, FLAG, COUNT, FLOAT = Text(), Flag(), ExactCount(), Float()
COUNT_OR_MEAN = CountOrMean()


def _integer(value: JsonValue) -> int:
    """An integer from 0 up, written as a number or as a string of digits."""
    number = value.value
    if type(number) is str and number.isascii() and number.isdigit():
        number = int(number) if len(number) <= _MOST_DIGITS else number
    if type(number) is not int or number < 0:
        value.fail("an integer from 0 up")
    return number

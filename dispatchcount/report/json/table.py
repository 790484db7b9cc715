"""The tables of a report's file: an object for each row, or an array for each column.

A table is a type like any other, so that a field of one table can hold rows of another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import Any

import orjson

from dispatchcount.report.json.types import JsonType, Known, Schema, Strings
from dispatchcount.report.json.value import JsonValue

_REQUIRED: Any = object()


@dataclass(frozen=True)
class Field:
    """A member of the objects of a table, or one of its columns.

    Attributes:
        key: its name in the file.
        type: the type of its values.
        help: what the schema and docs/json.md say of it, with the unit where there is one.
    """

    key: str
    type: JsonType
    help: str

    @property
    def attribute(self) -> str:
        """What the rows of the report call it."""
        return self.key

    @property
    def required(self) -> bool:
        """True if every file has it, also those that older versions of dispatchcount wrote."""
        return True

    def description(self) -> Schema:
        """What the schema says of it besides its type."""
        return {"description": self.help}


@dataclass(frozen=True)
class Derived(Field):
    """A field for readers of the file only. It is worked out anew after loading.

    Attributes:
        later: True if it was added to a version of the format that there were files of already.
    """

    later: bool = False

    @property
    def required(self) -> bool:
        return not self.later


@dataclass(frozen=True)
class Stored(Field):
    """A field that the report is built from again.

    Attributes:
        absent: the value in files that are older than the field. Without it the field is required,
            so that adding the field takes a new version of the format.
        of: what the rows of the report call the field, if not by its key. ``"cost.macs"`` is the
            attribute `macs` of their attribute `cost`.
    """

    absent: Any = _REQUIRED
    of: str = ""

    @property
    def attribute(self) -> str:
        return self.of or self.key

    @property
    def required(self) -> bool:
        return self.absent is _REQUIRED

    def description(self) -> Schema:
        if self.required:
            return super().description()
        lack = f"Older files lack it, which means `{orjson.dumps(self.absent).decode()}`."
        return {"description": f"{self.help} {lack}"}

    def read(self, holder: JsonValue, known: Known) -> Any:
        """The value in an object.

        Raises:
            ReportError: it is missing or does not have the field's type.
        """
        if not self.required and self.key not in holder:
            return self.absent
        return self.type.read(holder[self.key], known)

    def read_column(self, holder: JsonValue, known: Known, length: int) -> list[Any]:
        """The values in an object of columns, `length` of them if the column is not there.

        Raises:
            ReportError: the column is missing, is not an array or has an item of another type.
        """
        if not self.required and self.key not in holder:
            return [self.absent] * length
        return self.type.read_column(holder[self.key], known)


@dataclass(frozen=True)
class Table(JsonType):
    """Objects that have the same fields. They are not read as a whole, but stored field by field.

    Attributes:
        name: its name in the schema; empty for one that the schema shows where it is used.
        help: what a row is.
        fields: the fields in the order in which they are written.
        includes: a table whose fields are among these; the schema refers to that one for them.
    """

    name: str
    help: str
    fields: tuple[Field, ...]
    includes: Table | None = None

    @cached_property
    def stored(self) -> tuple[Stored, ...]:
        """The fields that the report is built from again."""
        return tuple(field for field in self.fields if isinstance(field, Stored))

    def __getitem__(self, key: str) -> Stored:
        """The stored field with this key."""
        return next(field for field in self.stored if field.key == key)

    def write(self, value: Any, strings: Strings) -> dict[str, Any]:
        """The object for a row of the report, or for a dict that has its values by name."""
        get = value.__getitem__ if type(value) is dict else partial(getattr, value)
        return {key: write(get(name), strings) for key, name, write in self._writers}

    @cached_property
    def _writers(self) -> list[tuple[str, str, Callable[[Any, Strings], Any]]]:
        """What `write` needs of each field, looked up once."""
        return [(field.key, field.attribute, field.type.write) for field in self.fields]

    def schema(self) -> Schema:
        """A reference to the table, or the table itself if it has no name."""
        return {"$ref": f"#/$defs/{self.name}"} if self.name else self.definition()

    def definition(self) -> Schema:
        """The schema of the table itself."""
        included = self.includes.fields if self.includes else ()
        own = [field for field in self.fields if field not in included]
        return {
            **({"allOf": [self.includes.schema()]} if self.includes else {}),
            "type": "object",
            "description": self.help,
            "properties": {f.key: self._member(f.type) | f.description() for f in own},
            "required": [f.key for f in own if f.required],
        }

    def _member(self, type: JsonType) -> Schema:
        """The schema of a member of the object whose values have this type."""
        return type.schema()


@dataclass(frozen=True)
class RowTable(Table):
    """Objects that are rows of the report.

    Attributes:
        make: the class of the rows.
    """

    make: type[Any] = dataclasses.field(kw_only=True)

    def read(self, value: JsonValue, known: Known) -> Any:
        return self.make(**{field.attribute: field.read(value, known) for field in self.stored})

    def read_fast(self, values: list[Any], known: Known) -> list[Any] | None:
        if not set(map(type, values)) <= {dict}:
            return None
        columns: dict[str, list[Any]] = {}
        for field in self.stored:
            column = [value.get(field.key, field.absent) for value in values]
            fast = None if _REQUIRED in column else field.type.read_fast(column, known)
            if fast is None:
                return None
            columns[field.attribute] = fast
        return _rows(self.make, columns)


@dataclass(frozen=True)
class ColumnTable(Table):
    """An object with an array for each field: the nth value of each belongs to the nth row.

    Attributes:
        make: the class of the rows.
        parts: the classes of attributes that have columns of their own. With ``{"cost": Cost}`` the
            fields of ``"cost.macs"``, ``"cost.arithmetic"`` … make up the row's `cost`.
    """

    make: type[Any] = dataclasses.field(kw_only=True)
    parts: Mapping[str, type[Any]] = dataclasses.field(kw_only=True, default_factory=dict)

    def write(self, value: Any, strings: Strings) -> dict[str, Any]:
        """The columns for the rows of the report."""
        return {
            f.key: f.type.write_column(list(map(attrgetter(f.attribute), value)), strings)
            for f in self.fields
        }

    def read(self, value: JsonValue, known: Known) -> tuple[Any, ...]:
        """The rows; every column must be as long as the first.

        Raises:
            ReportError: a column is missing, has another length or an item of another type.
        """
        first = self.stored[0].key
        length = len(value[first].array())
        columns = {f.attribute: f.read_column(value, known, length) for f in self.stored}
        for field in self.stored:
            if len(columns[field.attribute]) != length:
                expected = f"{length} values, as many as in {value.place}.{first}"
                value[field.key].fail(expected)
        for part, make in self.parts.items():
            columns[part] = _rows(make, columns, f"{part}.")
        return tuple(_rows(self.make, columns))

    def _member(self, type: JsonType) -> Schema:
        return {"type": "array", "items": type.schema()}


def _rows(make: type[Any], columns: Mapping[str, list[Any]], prefix: str = "") -> list[Any]:
    """A row of the class for each value of its columns, which are called as its attributes are."""
    names = (prefix + item.name for item in dataclasses.fields(make))
    return list(map(make, *(columns[name] for name in names)))

"""Opens the files of this package's formats: reads them, checks what they say they are, and brings
them up to the newest version. Reports and laws share it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import orjson

from dispatchcount.errors import ReportError
from dispatchcount.report.json.value import JsonValue

_LONGEST_NAME = 200

READERS = {
    "dispatchcount.report": "a report; dispatchcount.Report.from_json() reads it",
    "dispatchcount.ranks": "the reports of all ranks; dispatchcount.Ranks.from_json() and "
    "`dispatchcount html` read it",
    "dispatchcount.law": "a law; dispatchcount.Law.from_json() and `dispatchcount law` read it",
    "dispatchcount.plan": "a plan; dispatchcount.distributed.Plan.from_json() reads it",
}
"""What each kind of file holds, by what it has under ``"schema"``, and who reads it."""

_SCHEMA = re.compile(rb'"schema"\s*:\s*"(dispatchcount\.\w+)"')
_HEAD = 4096
"""Bytes at the beginning of a file in which its kind is looked for: this package begins with it."""


def schema_in(data: bytes) -> str:
    """What the bytes say that they are, also where they were cut off; ``""`` if they do not."""
    found = _SCHEMA.search(data[:_HEAD])
    return found[1].decode() if found else ""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file.

    Attributes:
        name: what messages call its content, ``"report"``.
        schema: what its files have under ``"schema"``.
        version: the newest version.
        migrations: for each version before it, the function that makes the next version's object.
    """

    name: str
    schema: str
    version: int
    migrations: Mapping[int, Callable[[JsonValue], dict[str, Any]]] = field(default_factory=dict)

    def read(self, source: bytes | str | PathLike[str]) -> JsonValue:
        """The JSON object in bytes, or in the file at a path (a `str` is one), as it is today.

        Raises:
            ReportError: there is no such file, or what it holds is of another kind; the message
                names the file.
            TypeError: `source` is neither bytes nor a path.
        """
        return self.newest(self._object(*self._load(source)))

    def _load(self, source: bytes | str | PathLike[str]) -> tuple[str, bytes]:
        """What errors call the source, and its bytes."""
        if isinstance(source, bytes | bytearray | memoryview):
            return f"the {self.name}", bytes(source)
        if not isinstance(source, str | PathLike):
            raise TypeError(f"from_json() takes a path or bytes, got {type(source).__name__}")
        name = os.fspath(source)
        try:
            with open(name, "rb") as stream:
                return name, stream.read()
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            hint = "; pass JSON as bytes, a str is a path" if name.lstrip().startswith("{") else ""
            shown = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
            reason = getattr(error, "strerror", None) or error
            raise ReportError(f"cannot read {shown}: {reason}{hint}") from error

    def _object(self, name: str, data: bytes) -> JsonValue:
        """The JSON object in the bytes, which says that it is of this kind."""
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            reason = "it is empty" if not data else f"it is not JSON, or was cut off: {error}"
            began = READERS.get(schema_in(data), "").partition(";")[0]
            more = f"; by its beginning it was {began}" if began else ""
            raise ReportError(f"{name}: {reason}{more}") from None
        return self.checked(JsonValue(value, name))

    def checked(self, top: JsonValue) -> JsonValue:
        """An object that says that it is of this kind.

        Raises:
            ReportError: it says something else, or nothing.
        """
        schema = top.value.get("schema") if type(top.value) is dict else None
        if schema != self.schema:
            other = READERS.get(schema) if isinstance(schema, str) else None
            what = (
                f"it is no {self.name} of dispatchcount but {other}"
                if other
                else f"it is JSON, but no {self.name} of dispatchcount "
                f'(those begin with "schema": "{self.schema}")'
            )
            raise ReportError(f"{top.source}: {_at(top)}{what}")
        return top

    def newest(self, top: JsonValue) -> JsonValue:
        """The object as the newest version has it."""
        version = top["version"]
        if type(version.value) is not int or version.value < 1:
            version.fail("an integer from 1 up")
        if version.value > self.version:
            raise ReportError(
                f"{top.source}: {_at(top)}it is a {self.name} of schema version {version.value}, "
                f"this dispatchcount reads up to {self.version}; upgrade it"
            )
        for old in range(version.value, self.version):
            top = JsonValue(self.migrations[old](top), top.source, top.key, top.holder)
        return top


def _at(top: JsonValue) -> str:
    """Where an object stands in its file, ``"ranks[1].report: "``; ``""`` if it is all of it."""
    return f"{top.place}: " if top.place else ""

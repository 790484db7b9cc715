"""Opens the files of this package's formats: reads them, checks what they say they are, and brings
them up to the newest version. Reports and laws share it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import orjson

from dispatchcount.errors import ReportError
from dispatchcount.report.json.value import JsonValue

_LONGEST_NAME = 200


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
            raise ReportError(f"{name}: {reason}") from None
        if type(value) is not dict or value.get("schema") != self.schema:
            raise ReportError(
                f"{name}: it is JSON, but no {self.name} of dispatchcount "
                f'(those begin with "schema": "{self.schema}")'
            )
        return JsonValue(value, name)

    def newest(self, top: JsonValue) -> JsonValue:
        """The object as the newest version has it."""
        version = top["version"]
        if type(version.value) is not int or version.value < 1:
            version.fail("an integer from 1 up")
        if version.value > self.version:
            raise ReportError(
                f"{top.source}: it has schema version {version.value}, this dispatchcount reads up "
                f"to {self.version}; upgrade it"
            )
        for old in range(version.value, self.version):
            top = JsonValue(self.migrations[old](top), top.source)
        return top

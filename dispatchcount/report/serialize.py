"""A report to JSON and back. `schema.json` is the format; `write.py` and `read.py` are its two sides."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any, TypeVar

import orjson

from dispatchcount import files
from dispatchcount.errors import ReportError
from dispatchcount.report.checked import Node
from dispatchcount.report.model import ReportData
from dispatchcount.report.read import from_object
from dispatchcount.report.write import SCHEMA, VERSION, encodable, to_object

R = TypeVar("R", bound=ReportData)

MIGRATIONS: dict[int, Callable[[Node], dict[str, Any]]] = {}
"""For each version before `VERSION`: what makes the next version's object of it."""


def to_json(report: ReportData, path: str | PathLike[str] | None = None) -> bytes:
    """The report as UTF-8 JSON; written to `path` as well, if given.

    Integers beyond 63 bits are strings of digits. Characters that are no Unicode (lone surrogates) are written as their escapes.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    data = dumps(to_object(report))
    if path is not None:
        files.write(path, data)
    return data


def dumps(value: Any) -> bytes:
    """Nested JSON values as bytes."""
    try:
        return orjson.dumps(value)
    except TypeError:  # lone surrogates in names and integers beyond 64 bits: all that our own objects hold and JSON cannot
        return orjson.dumps(
            encodable(value, lambda text: text.encode("utf-8", "backslashreplace").decode())
        )


def from_json(source: bytes | str | PathLike[str], *, make: Callable[..., R]) -> R:
    """A report of the class `make` from JSON bytes, or from the file at a path (a `str` is one).

    Raises:
        ReportError: there is no such file, or what it holds is no report; the message names the file and the place in it.
        TypeError: `source` is neither bytes nor a path.
    """
    name, data = _load(source)
    with _no_collection():
        return _parse(name, data, make)


def _parse(name: str, data: bytes, make: Callable[..., R]) -> R:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        reason = "it is empty" if not data else f"it is not JSON, or was cut off: {error}"
        raise ReportError(f"{name}: {reason}") from None
    top = Node(value, name)
    if type(value) is not dict or value.get("schema") != SCHEMA:
        raise ReportError(
            f'{name}: it is JSON, but no report of dispatchcount (those begin with "schema": "{SCHEMA}")'
        )
    version = top["version"]
    if type(version.value) is not int or version.value < 1:
        version.fail("an integer from 1 up")
    if version.value > VERSION:
        raise ReportError(
            f"{name}: it has schema version {version.value}, this dispatchcount reads up to {VERSION}; upgrade it"
        )
    for old in range(version.value, VERSION):
        top = Node(MIGRATIONS[old](top), name)
    return from_object(top, make)


def _load(source: bytes | str | PathLike[str]) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray | memoryview):
        return "the report", bytes(source)
    if not isinstance(source, str | PathLike):
        raise TypeError(f"from_json() takes a path or bytes, got {type(source).__name__}")
    name = os.fspath(source)
    try:
        with open(name, "rb") as stream:
            return name, stream.read()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        hint = "; pass JSON as bytes, a str is a path" if name.lstrip().startswith("{") else ""
        name = name if len(name) <= 200 else name[:200] + "…"
        raise ReportError(
            f"cannot read {name}: {getattr(error, 'strerror', None) or error}{hint}"
        ) from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for garbage meanwhile: rows are none, and looking through them again and again doubles the time of loading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

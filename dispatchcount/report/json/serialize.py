"""A report to JSON and back: bytes and files. `format.py` describes what is in them."""

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
from dispatchcount.report.json.format import SCHEMA, VERSION
from dispatchcount.report.json.migrations import MIGRATIONS
from dispatchcount.report.json.read import from_object
from dispatchcount.report.json.value import JsonValue
from dispatchcount.report.json.write import to_object
from dispatchcount.report.model import ReportData

R = TypeVar("R", bound=ReportData)


def to_json(report: ReportData, path: str | PathLike[str] | None = None) -> bytes:
    """The report as UTF-8 JSON; written to `path` as well, if given.

    Integers beyond 63 bits are strings of digits. Characters that are not Unicode (lone
    surrogates, which file names may have) are written as their escapes.

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
    except TypeError:  # a lone surrogate: all that our own objects have and JSON does not
        return orjson.dumps(_escaped(value))


def _escaped(value: Any) -> Any:
    """The same nested value with escapes for the lone surrogates in its texts."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value


def from_json(source: bytes | str | PathLike[str], *, make: Callable[..., R]) -> R:
    """A report of the class `make` from JSON bytes, or from the file at a path (a `str` is one).

    Raises:
        ReportError: there is no such file, or what it holds is not a report; the message names the
            file and the place in it.
        TypeError: `source` is neither bytes nor a path.
    """
    name, data = _load(source)
    with _no_collection():
        return from_object(_newest(_report_object(name, data)), make)


def _load(source: bytes | str | PathLike[str]) -> tuple[str, bytes]:
    """What errors call the source, and its bytes."""
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
        reason = getattr(error, "strerror", None) or error
        raise ReportError(f"cannot read {name}: {reason}{hint}") from error


def _report_object(name: str, data: bytes) -> JsonValue:
    """The JSON object in the bytes, which says that it is a report."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        reason = "it is empty" if not data else f"it is not JSON, or was cut off: {error}"
        raise ReportError(f"{name}: {reason}") from None
    if type(value) is not dict or value.get("schema") != SCHEMA:
        raise ReportError(
            f"{name}: it is JSON, but no report of dispatchcount "
            f'(those begin with "schema": "{SCHEMA}")'
        )
    return JsonValue(value, name)


def _newest(top: JsonValue) -> JsonValue:
    """The object as the newest version has it."""
    version = top["version"]
    if type(version.value) is not int or version.value < 1:
        version.fail("an integer from 1 up")
    if version.value > VERSION:
        raise ReportError(
            f"{top.source}: it has schema version {version.value}, this dispatchcount reads up to "
            f"{VERSION}; upgrade it"
        )
    for old in range(version.value, VERSION):
        top = JsonValue(MIGRATIONS[old](top), top.source)
    return top


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python does not look for garbage meanwhile.

    Rows hold no cycles, and looking through all of them again and again doubles the loading time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

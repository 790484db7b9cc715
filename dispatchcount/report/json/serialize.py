"""A report to JSON and back: bytes and files. `format.py` describes what is in them."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeVar

import orjson

from dispatchcount import files
from dispatchcount.report.collection import no_collection
from dispatchcount.report.json.format import SCHEMA, VERSION
from dispatchcount.report.json.migrations import MIGRATIONS
from dispatchcount.report.json.read import from_object
from dispatchcount.report.json.source import Format
from dispatchcount.report.json.write import to_object
from dispatchcount.report.model import ReportData

R = TypeVar("R", bound=ReportData)

FORMAT = Format("report", SCHEMA, VERSION, MIGRATIONS)


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
    with no_collection():
        return from_object(FORMAT.read(source), make)

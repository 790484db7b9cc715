"""The reports of a job's ranks in one file: an envelope around files of reports."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from os import PathLike
from typing import Any, TypeVar

import orjson

from dispatchcount import files
from dispatchcount.report.json.read import from_object
from dispatchcount.report.json.serialize import FORMAT as REPORT
from dispatchcount.report.json.serialize import dumps
from dispatchcount.report.json.source import Format, schema_in
from dispatchcount.report.json.value import JsonValue
from dispatchcount.report.json.write import to_object
from dispatchcount.report.model import ReportData
from dispatchcount.report.ranks import RanksData

R = TypeVar("R", bound=ReportData)
J = TypeVar("J", bound=RanksData[Any])

FORMAT = Format("file of all ranks", "dispatchcount.ranks", 1)


def to_json(ranks: RanksData[Any], path: str | PathLike[str] | None = None) -> bytes:
    """The ranks as UTF-8 JSON; written to `path` as well, if given.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    data = dumps(
        {
            "schema": FORMAT.schema,
            "version": FORMAT.version,
            "world_size": ranks.world,
            "ranks": [
                {"rank": rank, "report": to_object(report)}
                for rank, report in zip(ranks.ranks, ranks.reports, strict=True)
            ],
        }
    )
    if path is not None:
        files.write(path, data)
    return data


def from_json(
    source: bytes | str | PathLike[str],
    *,
    make: Callable[[int, tuple[int, ...], tuple[R, ...]], J],
    report: Callable[..., R],
) -> J:
    """The ranks from JSON bytes, or from the file at a path (a `str` is one).

    Args:
        source: the bytes or the path.
        make: the class of the ranks.
        report: the class of each report.

    Raises:
        ReportError: there is no such file, or what it holds is of another kind; the message names
            the file and the place in it.
        TypeError: `source` is neither bytes nor a path.
    """
    top = FORMAT.read(source)
    if isinstance(source, str | PathLike):  # messages call bytes by the format's name already
        top = JsonValue(top.value, f"{top.source}, a {FORMAT.name}")
    rows = top["ranks"].items()
    ranks = tuple(_count(row["rank"]) for row in rows)
    reports = tuple(
        from_object(REPORT.newest(REPORT.checked(row["report"])), report) for row in rows
    )
    world = _count(top["world_size"])
    try:
        return make(world, ranks, reports)
    except ValueError as error:
        top["ranks"].fail(f"a row for each rank ({error})")


def is_ranks(path: str | PathLike[str]) -> bool:
    """True if a file says that it holds the reports of all ranks, damaged or not.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as stream:
        data = stream.read()
    schema = schema_in(data)
    if not schema:  # somebody else wrote it, and put other members first
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(data)
            return type(value) is dict and value.get("schema") == FORMAT.schema
    return schema == FORMAT.schema


def _count(value: JsonValue) -> int:
    if type(value.value) is not int or value.value < 0:
        value.fail("an integer from 0 up")
    return value.value

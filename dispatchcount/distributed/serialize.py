"""A plan to JSON and back."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from dispatchcount import files
from dispatchcount.distributed.mesh import mesh_of, rank_in
from dispatchcount.distributed.padding import Padding
from dispatchcount.errors import ReportError, UsageError
from dispatchcount.report.json.read import from_object
from dispatchcount.report.json.serialize import FORMAT as REPORT
from dispatchcount.report.json.serialize import dumps
from dispatchcount.report.json.source import Format
from dispatchcount.report.json.value import JsonValue
from dispatchcount.report.json.write import to_object as report_object
from dispatchcount.report_api import Report

if TYPE_CHECKING:
    from dispatchcount.distributed.planned import Plan

P = TypeVar("P")

FORMAT = Format("plan", "dispatchcount.plan", 1)


def to_json(plan: Plan, path: str | PathLike[str] | None = None) -> bytes:
    """The plan as UTF-8 JSON; written to `path` as well, if given.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    data = dumps(
        {
            "schema": FORMAT.schema,
            "version": FORMAT.version,
            "mesh": [{"name": name, "ranks": size} for name, size in plan.mesh.as_dict().items()],
            "rank": plan.rank,
            "padding": [
                {"module": row.module, "ranks": row.ranks, "useful": row.useful, "sent": row.sent}
                for row in plan.padding
            ],
            "load": [{"layer": name, "tokens": list(tokens)} for name, tokens in plan.load],
            **({} if plan.samples is None else {"samples": plan.samples}),
            "report": report_object(plan.report),
        }
    )
    if path is not None:
        files.write(path, data)
    return data


def from_json(source: bytes | str | PathLike[str], *, make: Callable[..., P]) -> P:
    """A plan, made by `make`, from JSON bytes, or from the file at a path (a `str` is one).

    Raises:
        ReportError: there is no such file, or what it holds is no plan; the message names the file
            and the place in it.
        TypeError: `source` is neither bytes nor a path.
    """
    top = FORMAT.read(source)
    sizes = {_text(row["name"]): _count(row["ranks"]) for row in top["mesh"].items()}
    try:
        mesh = mesh_of(sizes)
        rank = rank_in(mesh, _count(top["rank"]))
    except UsageError as error:
        raise ReportError(f"{top.source}: mesh: {error}") from error
    inside = top["report"]
    report = from_object(REPORT.newest(inside), make=Report)
    if report.memory is None:
        inside["memory"].fail("the bytes of a report that was made with memory=True")
    return make(
        mesh=mesh,
        rank=rank,
        report=report,
        padding=tuple(
            Padding(
                _text(row["module"]),
                _count(row["ranks"]),
                _count(row["useful"]),
                _count(row["sent"]),
            )
            for row in top["padding"].items()
        ),
        load=tuple(
            (_text(row["layer"]), tuple(_count(number) for number in row["tokens"].items()))
            for row in top["load"].items()
        ),
        samples=_samples(top["samples"]) if "samples" in top else None,
    )


def _text(value: JsonValue) -> str:
    if not isinstance(value.value, str):
        value.fail("a text")
    return value.value


def _count(value: JsonValue) -> int:
    found: Any = value.value
    if type(found) is not int or found < 0:
        value.fail("an integer from 0 up")
    return int(found)


def _samples(value: JsonValue) -> int:
    found = _count(value)
    if not found:
        value.fail("an integer from 1 up")
    return found

"""A law to JSON and back. `schema.json` beside this file is the format; `read.py` checks what comes
back.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeVar

from dispatchcount import files
from dispatchcount.errors import LawError, ReportError
from dispatchcount.laws.domain import Domain
from dispatchcount.laws.law import LawData, RowNote
from dispatchcount.laws.observed import Key
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.laws.read import from_object
from dispatchcount.report.json.serialize import dumps
from dispatchcount.report.json.source import Format

FORMAT = Format("law", "dispatchcount.law", 1)

L = TypeVar("L", bound=LawData)


def to_json(law: LawData, path: str | PathLike[str] | None = None) -> bytes:
    """The law as UTF-8 JSON; written to `path` as well, if given.

    Coefficients are strings, ``"18432"`` or ``"9/32"``: JSON's numbers are neither fractions nor
    longer than 64 bits.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    data = dumps(to_object(law))
    if path is not None:
        files.write(path, data)
    return data


def to_object(law: LawData) -> dict[str, Any]:
    """The law as nested JSON values."""
    places = {module.name: place for place, module in enumerate(law.modules)}
    return {
        "schema": FORMAT.schema,
        "version": FORMAT.version,
        "sizes": list(law.sizes),
        "start": [law.start[size] for size in law.sizes],
        "convention": law.convention,
        "meta": {
            "model": law.meta.model,
            "training": law.meta.training,
            "torch": law.meta.torch,
            "dispatchcount": law.meta.dispatchcount,
            "devices": list(law.meta.devices),
        },
        "formulas": {
            metric: str(law.total.polynomial(metric))
            for metric in law.metrics()
            if metric not in law.total.refused
        },
        "holds": law.holds,
        "modules": [
            {
                "name": module.name,
                "type": module.type,
                "parent": None if module.parent is None else places[module.parent],
                "params": module.params,
            }
            for module in law.modules
        ],
        "polynomials": [_terms(polynomial) for polynomial in law.polynomials],
        "rows": [
            {
                "module": places[row.key.module],
                "op": row.key.op,
                "phase": row.key.phase,
                **_callers(row.key, places),
                "columns": dict(row.columns),
            }
            for row in law.rows
        ],
        "domains": {column: _domain(domain) for column, domain in law.domains.items()},
        "operator_domains": {c: _domain(domain) for c, domain in law.operator_domains.items()},
        "refused": _notes(law.refusals, places),
        "estimated": _notes(law.estimates, places),
        "checked": [[point[size] for size in law.sizes] for point in law.checked],
        "runs": law.runs,
        "altered": list(law.altered),
    }


def from_json(source: bytes | str | PathLike[str], *, make: Callable[..., L]) -> L:
    """A law of the class `make` from JSON bytes, or from the file at a path (a `str` is one).

    Raises:
        LawError: there is no such file, or what it holds is no law; the message names the file and
            the place in it.
        TypeError: `source` is neither bytes nor a path.
    """
    try:
        return from_object(FORMAT.read(source), make)
    except ReportError as error:
        raise LawError(str(error)) from error.__cause__


def _terms(polynomial: Polynomial) -> list[list[Any]]:
    return [[list(exponents), str(coefficient)] for exponents, coefficient in polynomial]


def _notes(notes: tuple[RowNote, ...], places: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "module": places[note.key.module],
            "op": note.key.op,
            "phase": note.key.phase,
            **_callers(note.key, places),
            "column": note.column,
            "reason": note.reason,
        }
        for note in notes
    ]


def _callers(key: Key, places: dict[str, int]) -> dict[str, list[int]]:
    """The member for the callers, for the few rows that have some."""
    return {"callers": [places[name] for name in key.callers]} if key.callers else {}


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "ranges": [
            {"size": r.size, "least": r.least, "step": r.step, "most": r.most, "end": r.end}
            for r in domain.ranges
        ],
        "holes": [dict(hole) for hole in domain.holes],
    }

"""The JSON Schema of a report's file, made from `format.py`."""

from __future__ import annotations

from typing import Any

from dispatchcount.report.json.format import REPORT, TABLES, VERSION
from dispatchcount.report.json.types import COUNT


def schema() -> dict[str, Any]:
    """The schema as `schema.json` in the package holds it, JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:dispatchcount:report:{VERSION}",
        "title": "dispatchcount report",
        **REPORT.definition(),
        "$defs": {"count": COUNT.definition()}
        | {table.name: table.definition() for table in TABLES},
    }

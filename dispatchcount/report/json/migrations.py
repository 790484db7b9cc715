"""How files of older versions of the format are brought up to the newest one.

`format.py` describes the newest version only. A change that readers of the file would notice (a
column that goes, or means something else) raises `VERSION` there by one and adds a function here
that makes the next version's JSON object of an older one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchcount.report.json.value import JsonValue

MIGRATIONS: dict[int, Callable[[JsonValue], dict[str, Any]]] = {}
"""For each version before the newest: the function that makes the next version's object of it."""

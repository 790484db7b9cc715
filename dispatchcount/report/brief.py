"""Rows that show themselves on one short line, however much they hold."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from reprlib import Repr
from typing import Any

_SHORT = Repr()
_SHORT.maxtuple = _SHORT.maxlist = _SHORT.maxdict = 3
_SHORT.maxstring = _SHORT.maxlong = 60
_SHORT.maxother = 200
_SHORT.maxlevel = 3


class Brief:
    """A short `repr` for a frozen dataclass, for prompts and failed assertions.

    The `repr` has the fields that are not at their default, and the beginning of long texts,
    numbers and tuples. A dataclass needs ``repr=False`` for it, or its decorator puts another
    `repr` into the class.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        told = [field for field in fields(self) if field.repr]  # type: ignore[arg-type]
        shown = [field for field in told if getattr(self, field.name) != _default(field)]
        parts = [f"{field.name}={_SHORT.repr(getattr(self, field.name))}" for field in shown]
        return f"{type(self).__name__}({', '.join(parts)})"


def _default(field: Field[Any]) -> Any:
    return MISSING if field.default is MISSING else field.default

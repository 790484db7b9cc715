r"""Columns of figures for the LaTeX package siunitx, which aligns them at their decimal point.

All figures of a column are in one unit, which stands in its header: ``4.11 G`` and ``118 M`` become
``4.11`` and ``0.118`` below ``flops / G``. A mark before a figure stays what it is, for siunitx
reads ``\geq 1.5`` as a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dispatchcount.render.numbers import ABSENT, AT_LEAST, ESTIMATE

_POWERS = {"n": -9, "µ": -6, "m": -3, "": 0} | {
    prefix: 3 * place for place, prefix in enumerate("kMGTPEZYRQ", 1)
}
_FIGURE = re.compile(
    rf"(?P<mark>[{AT_LEAST}{ESTIMATE}<]?)(?P<digits>-?[\d,]+(?:\.\d+)?(?:e\d+)?)"
    r"(?: (?P<prefix>[nµm](?=s)|[kMGTPEZYRQ]?)(?P<unit>[Bs%]?))?"
)
_MARKS = {AT_LEAST: r"\geq ", ESTIMATE: r"\approx ", "<": "< ", "": ""}
_UNITS = {"µ": r"\textmu ", "%": r"\%"}


@dataclass(frozen=True)
class NumericColumn:
    r"""A column of figures.

    Attributes:
        format: what siunitx is told of their digits, ``S[table-format=2.3]``.
        unit: what stands in the header behind a slash, ``"G"``; ``""`` for plain numbers.
        cells: the figures, and ``{--}`` where there is none.
    """

    format: str
    unit: str
    cells: list[str]


def numeric(texts: Sequence[str]) -> NumericColumn | None:
    """The texts of a column as figures in one unit; None if not all of them are of one kind."""
    found = [None if text == ABSENT else _FIGURE.fullmatch(text) for text in texts]
    figures = [match for match in found if match is not None]
    units = {match["unit"] or "" for match in figures}
    if not figures or len(figures) < sum(text != ABSENT for text in texts):
        return None
    if len(units) > 1:  # A zero has no unit of its own.
        units = {match["unit"] or "" for match in figures if _value(match)}
    if len(units) > 1:
        return None

    # The largest figure says which prefix all of them have.
    largest = max(figures, key=_value)
    prefix = largest["prefix"] or ""
    values = [None if match is None else _in(match, prefix) for match in found]
    cells = [
        "{--}" if match is None or value is None else _MARKS[match["mark"]] + f"{value:f}"
        for match, value in zip(found, values, strict=True)
    ]
    parts = [f"{abs(value):f}".partition(".") for value in values if value is not None]
    whole, fraction = (max(len(part[place]) for part in parts) for place in (0, 2))
    sign = "-" if any(value is not None and value < 0 for value in values) else ""
    comparator = ">" if any(match["mark"] for match in figures) else ""
    digits = f"{comparator}{sign}{whole}" + (f".{fraction}" if fraction else "")
    unit = "".join(_UNITS.get(letter, letter) for letter in prefix + (units.pop() if units else ""))
    return NumericColumn(f"S[table-format={digits}]", unit, cells)


def _digits(match: re.Match[str]) -> Decimal:
    return Decimal(match["digits"].replace(",", ""))


def _value(match: re.Match[str]) -> Decimal:
    return _digits(match).scaleb(_POWERS[match["prefix"] or ""])


def _in(match: re.Match[str], prefix: str) -> Decimal:
    """A figure in units of `prefix`, with the digits that it has."""
    digits = _digits(match)
    return digits and digits.scaleb(_POWERS[match["prefix"] or ""] - _POWERS[prefix])

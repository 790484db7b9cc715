"""Numbers as people read them. All renderers for people use these; files hold raw integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

ABSENT = "–"
"""Stands where there is no figure: the module never ran, the metric was not measured."""

ESTIMATE = "≈"
"""Stands before a figure that an estimate is part of."""

AT_LEAST = "≥"
"""Stands before a figure from which operators that could not be counted are missing."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")
_TIMES = ("ns", "µs", "ms", "s")


def human(value: int | float, unit: str = "") -> str:
    """A number in three digits with a decimal prefix.

    An integer below 1000 stands as it is.

        human(4_111_512_576) == "4.11 G"
        human(1_572_864, "B") == "1.57 MB"
        human(512) == "512"
        human(1.5) == "1.50"

    Args:
        value: the number.
        unit: what it counts, put behind the prefix.
    """
    if value < 0:
        return "-" + human(-value, unit)
    if value == 0 or (isinstance(value, int) and value < 1000):
        return f"{int(value)} {unit}".rstrip()
    digits, exponent = _scientific(value)
    if exponent < -3:
        return f"<0.001 {unit}".rstrip()
    if exponent // 3 >= len(_PREFIXES):
        return f"{digits}e{exponent} {unit}".rstrip()
    prefix = max(0, exponent // 3)
    text = _three(digits, exponent - 3 * prefix)
    return f"{text} {_PREFIXES[prefix]}{unit}".rstrip()


def every_digit(value: int) -> str:
    """Every digit, in groups of three: ``"4,111,512,576"``."""
    return f"{value:,}"


def count(value: int | float, exact: bool) -> str:
    """A number of things: every digit of it if `exact`, else three.

    What is not an integer is always given in three digits.
    """
    return every_digit(value) if exact and isinstance(value, int) else human(value)


def nbytes(value: int | float, exact: bool = False) -> str:
    """Bytes: ``"1.57 MB"``, or the digits alone if `exact`, ``"1,572,864"``. A MB is 10^6 bytes."""
    return every_digit(int(value)) if exact else human(value, "B")


def bytes_said(value: int, exact: bool = False) -> str:
    """Bytes in a sentence: ``"1.57 MB"``; ``"1,572,864 bytes"`` if `exact`."""
    return f"{every_digit(value)} bytes" if exact else human(value, "B")


def duration(ns: int | float, exact: bool = False) -> str:
    """Nanoseconds in three digits: ``"1.23 ms"``; ``"1,234,567 ns"`` if `exact`."""
    if exact or ns < 1000:
        return f"{int(ns):,} ns"
    digits, exponent = _scientific(ns)
    unit = min(exponent // 3, len(_TIMES) - 1)
    shift = exponent - 3 * unit
    if shift > 2:  # thousands of seconds and more
        return f"{Decimal(ns).scaleb(-9):,.0f} s"
    return f"{_three(digits, shift)} {_TIMES[unit]}"


_OF_UNIT: dict[str, Callable[[int | float, bool], str]] = {
    "bytes": nbytes,
    "nanoseconds": duration,
}


def in_unit(unit: str) -> Callable[[int | float, bool], str]:
    """How figures of a metric's unit are written: a function of the value and of `exact`."""
    return _OF_UNIT.get(unit, count)


def percent(share: float) -> str:
    """A share of 0 to 1 with one decimal, ``"57.3 %"``.

    It is ``"<0.1 %"`` where there is one that rounds to nothing.
    """
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def show_share(share: float | None) -> str:
    """A share as `percent` has it; a dash where there is none."""
    return ABSENT if share is None else percent(share)


def plural(number: int, noun: str) -> str:
    """``"1 module"``, ``"2,000 modules"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def aligned(texts: Iterable[str]) -> list[str]:
    """Numbers padded on the right, so that right-aligned their digits stand below one another.

    aligned(["512 B", "1.57 MB"]) == ["512 B ", "1.57 MB"]
    """
    cells = [text.rpartition(" ") if " " in text else (text, "", "") for text in texts]
    width = max((len(unit) for _, _, unit in cells), default=0)
    return [
        f"{digits}{space or ' '}{unit:<{width}}" if width else digits
        for digits, space, unit in cells
    ]


def _scientific(value: int | float) -> tuple[str, int]:
    """Three digits as ``"4.11"`` and the power of ten that they are multiplied by."""
    digits, exponent = f"{Decimal(value):.2e}".split("e")
    return digits, int(exponent)


def _three(digits: str, shift: int) -> str:
    """The digits with the point `shift` places further right."""
    return f"{Decimal(digits).scaleb(shift):.{min(2 - shift, 4)}f}"

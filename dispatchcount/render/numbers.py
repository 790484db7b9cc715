"""Numbers as people read them. Every renderer for people uses these; files hold the raw integers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

ABSENT = "–"
"""Stands where there is no figure: the module never ran, the metric was not measured."""

ESTIMATE = "≈"
"""Stands before a figure that an estimate is part of."""

AT_LEAST = "≥"
"""Stands before a figure from which operators that could not be counted are missing."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")
_TIMES = ("ns", "µs", "ms", "s")
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def human(value: int | float) -> str:
    """A number in three digits with a decimal prefix.

    An integer below 1000 stands as it is: ``human(4_111_512_576)`` is ``"4.11 G"``, ``human(512)`` is ``"512"``,
    ``human(1.5)`` is ``"1.50"``.
    """
    if value < 0:
        return "-" + human(-value)
    if value == 0 or (isinstance(value, int) and value < 1000):
        return str(int(value))
    digits, exponent = _scientific(value)
    if exponent < -3:
        return "<0.001"
    if exponent // 3 >= len(_PREFIXES):
        return f"{digits}e{exponent}"
    prefix = max(0, exponent // 3)
    text = _three(digits, exponent - 3 * prefix)
    return f"{text} {_PREFIXES[prefix]}" if prefix else text


def exact(value: int) -> str:
    """Every digit, in groups of three: ``"4,111,512,576"``."""
    return f"{value:,}"


def count(value: int | float, is_exact: bool) -> str:
    """`exact` or `human`, as asked for; what is no integer is always given in three digits."""
    return exact(value) if is_exact and isinstance(value, int) else human(value)


def percent(share: float) -> str:
    """A share of 0 to 1 with one decimal: ``"57.3 %"``; ``"<0.1 %"`` where it is there but rounds to nothing."""
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def duration(ns: int, is_exact: bool = False) -> str:
    """Nanoseconds in three digits: ``"1.23 ms"``; ``"1,234,567 ns"`` if exact."""
    if is_exact or ns < 1000:
        return f"{ns:,} ns"
    digits, exponent = _scientific(ns)
    unit = min(exponent // 3, len(_TIMES) - 1)
    shift = exponent - 3 * unit
    return (
        f"{Decimal(ns).scaleb(-9):,.0f} s"
        if shift > 2
        else f"{_three(digits, shift)} {_TIMES[unit]}"
    )


def nbytes(value: int) -> str:
    """Bytes in three or four digits with a binary prefix: ``"1.50 KiB"``, ``"1,000 MiB"``; ``"512 B"`` below a KiB."""
    size, unit = Decimal(value), 0
    while round(size) >= 1024 and unit + 1 < len(_SIZES):
        size, unit = size / 1024, unit + 1
    places = 0 if not unit or size >= Decimal("99.95") else 1 if size >= Decimal("9.995") else 2
    return f"{size:,.{places}f} {_SIZES[unit]}"


def aligned(texts: Iterable[str]) -> list[str]:
    """Numbers padded on the right so that, right-aligned, their digits stand below one another whatever their units."""
    cells = [text.rpartition(" ") if " " in text else (text, "", "") for text in texts]
    width = max((len(unit) for _, _, unit in cells), default=0)
    return [
        f"{digits}{space or ' '}{unit:<{width}}" if width else digits
        for digits, space, unit in cells
    ]


def plural(number: int, noun: str) -> str:
    """``"1 module"``, ``"2,000 modules"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _scientific(value: int | float) -> tuple[str, int]:
    digits, exponent = f"{Decimal(value):.2e}".split("e")
    return digits, int(exponent)


def _three(digits: str, shift: int) -> str:
    return f"{Decimal(digits).scaleb(shift):.{min(2 - shift, 4)}f}"

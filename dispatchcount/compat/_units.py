"""Numbers as calflops and DeepSpeed print them, letter for letter."""

from __future__ import annotations

SIZES = {"T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3, "": 1, "m": 1e-3, "u": 1e-6}
"""The units, and how much each stands for."""


def number_to_string(num: float, units: str | None = None, precision: int = 2) -> str:
    """A number and its unit with a blank between: ``"18.94 K"``, ``"64 "``.

    Args:
        num: the number.
        units: one of T, G, M, K, m, u; by default what fits; any other is appended as it is.
        precision: decimals.
    """
    if units is None:
        units = next((name for name, size in SIZES.items() if num >= size), "u" if num else "")
    return f"{round(num / SIZES.get(units, 1), precision):g} {units}"


def flops_to_string(flops: float, units: str | None = None, precision: int = 2) -> str:
    """``"8.21 GFLOPS"``; see `number_to_string`."""
    return f"{number_to_string(flops, units, precision)}FLOPS"


def macs_to_string(macs: float, units: str | None = None, precision: int = 2) -> str:
    """``"4.09 GMACs"``; see `number_to_string`."""
    return f"{number_to_string(macs, units, precision)}MACs"


def bytes_to_string(b: float, units: str | None = None, precision: int = 2) -> str:
    """``"97.5 MB"``; see `number_to_string`."""
    return f"{number_to_string(b, units, precision)}B"


def params_to_string(params_num: float, units: str | None = None, precision: int = 2) -> str:
    """``"25.56 M"``, and ``"7.1 B"`` for what other numbers have G for; see `number_to_string`."""
    text = number_to_string(params_num, units.replace("B", "G") if units else units, precision)
    return text.replace("G", "B").strip()


def duration_to_string(duration: float, units: str | None = None, precision: int = 2) -> str:
    """``"4.31 ms"`` for seconds; see `number_to_string`."""
    return f"{number_to_string(duration, units, precision)}s"

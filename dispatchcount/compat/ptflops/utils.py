"""The names of ``ptflops.utils``: numbers as text, letter for letter."""

from __future__ import annotations

MACS = {"GMac": 10**9, "MMac": 10**6, "KMac": 10**3}
PARAMS = {"B": 10**9, "M": 10**6, "K": 10**3}


def flops_to_string(flops: int, units: str | None = None, precision: int = 2) -> str:
    """Multiply-accumulates with a unit: ``"1.83 GMac"``, ``"20 Mac"``.

    Args:
        flops: the number.
        units: ``"GMac"``, ``"MMac"`` or ``"KMac"``; by default what fits; any other is taken for
            ``"Mac"``.
        precision: decimals.
    """
    unit = (
        next((name for name, size in MACS.items() if flops >= size), "Mac")
        if units is None
        else units
    )
    return f"{round(flops / MACS[unit], precision)} {unit}" if unit in MACS else f"{flops} Mac"


def params_to_string(params_num: int, units: str | None = None, precision: int = 2) -> str:
    """Parameters with a unit: ``"25.56 M"``, ``"4.1 k"``, ``"20"``.

    Args:
        params_num: the number.
        units: ``"M"``, ``"K"`` or ``"B"``; by default ``"M"`` or ``"k"``, whichever fits; with any
            other there is no unit.
        precision: decimals.
    """
    if units is None and params_num >= 1000:
        size, units = (10**6, "M") if params_num >= 10**6 else (10**3, "k")
    elif units in PARAMS:
        size = PARAMS[units]
    else:
        return str(params_num)
    return f"{round(params_num / size, precision)} {units}"


__all__ = ["flops_to_string", "params_to_string"]

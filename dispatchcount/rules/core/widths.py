"""How many bits the two factors of a multiplication have, for ``bops``.

The factors of a contraction are those tensors whose elements meet in a product: input and weight,
query and key. Their dtypes say how wide they are, unless a weight is packed into another dtype, or
a kernel rounds its input before it multiplies; then the operator says it, and its rule is entered
with the function of `widths` that knows.

A function of widths gets the operator's own arguments, as a rule does, and returns two numbers of
bits, or None if they are not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dispatchcount.rules.core.shape import Operand, Shape, shapes

Pair = tuple[int, int] | None
Widths = Callable[..., Pair]

_DIGITS = re.compile(r"\d+")


def bits(dtype: str) -> int | None:
    """Bits of one number of the torch dtype called `dtype`; of a complex one, of each real part.

    >>> bits("bfloat16"), bits("float8_e4m3fn"), bits("quint4x2"), bits("complex64")
    (16, 8, 4, 32)

    Returns:
        None for a dtype whose name does not say it.
    """
    if dtype == "bool":
        return 1
    found = _DIGITS.search(dtype)
    if found is None:
        return None
    return int(found[0]) // (2 if "complex" in dtype else 1)


def bits_of(operand: Operand) -> int | None:
    """Bits of a number of the tensors in an operand, if all of them have as many."""
    found = {bits(shape.dtype) for shape in shapes(operand)}
    return found.pop() if len(found) == 1 else None


def alike(*args: Operand, **kwargs: Operand) -> Pair:
    """Both factors have the width of all floating operands, or if there are none, of all others.

    It is not known if these have several widths: which of them are the factors depends on the
    operator.
    """
    found = shapes((args, kwargs))
    floating = [shape for shape in found if _is_floating(shape)]
    width = bits_of(floating or found)
    return None if width is None else (width, width)


def of(first: int, second: int) -> Widths:
    """The factors are the operands at these positions."""

    def widths(*args: Operand, **_: Operand) -> Pair:
        if max(first, second) >= len(args):
            return None
        return _pair(bits_of(args[first]), bits_of(args[second]))

    return widths


def times(width: int, at: int = 0) -> Widths:
    """One factor is the operand at position `at`, the other has `width` bits however it is kept."""

    def widths(*args: Operand, **_: Operand) -> Pair:
        return _pair(bits_of(args[at]) if at < len(args) else None, width)

    return widths


def fixed(first: int, second: int) -> Widths:
    """The kernel multiplies numbers of these widths, whatever its operands are."""
    return lambda *_, **__: (first, second)


def unknown(*_: Operand, **__: Operand) -> Pair:
    """Nothing that a rule sees says how wide they are."""
    return None


def packed(at: int, input: int | None = None) -> Widths:
    """The factors are the input, and the weight in the packed object at position `at`.

    Args:
        at: where the packed object is; it arrives as (weight, bias).
        input: bits to which the kernel rounds its input; None if it takes the first operand as it
            is.
    """

    def widths(*args: Operand, **_: Operand) -> Pair:
        held: Any = args[at] if at < len(args) else None
        weight = held[0] if isinstance(held, list | tuple) and held else None
        if isinstance(held, Shape):
            weight = held
        return _pair(bits_of(args[0]) if input is None else input, bits_of(weight))

    return widths


def _is_floating(shape: Shape) -> bool:
    return "float" in shape.dtype or shape.is_complex


def _pair(first: int | None, second: int | None) -> Pair:
    return None if first is None or second is None else (first, second)

"""Polynomials as text: for people, for LaTeX, and as a Python expression."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispatchcount.laws.polynomial import Polynomial

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(polynomial: Polynomial) -> str:
    """``18,432·b·s² + 123,532,032·b·s``; ``0`` where there is no term."""
    parts = [(c < 0, term(polynomial.sizes, e, abs(c))) for e, c in polynomial]
    return _signed(parts, minus="−")


def term(sizes: tuple[str, ...], exponents: tuple[int, ...], coefficient: Fraction) -> str:
    """One term, ``18,432·b·s²``."""
    factors = [
        name + (str(e).translate(_RAISED) if e > 1 else "")
        for name, e in zip(sizes, exponents, strict=True)
        if e
    ]
    size = number(coefficient)
    return "·".join(factors if size == "1" and factors else [size, *factors])


def latex(polynomial: Polynomial) -> str:
    r"""``18432\,b\,s^{2} + \frac{9}{32}\,b``."""
    parts = []
    for exponents, coefficient in polynomial:
        factors = [
            _latex_name(name) + (f"^{{{e}}}" if e > 1 else "")
            for name, e in zip(polynomial.sizes, exponents, strict=True)
            if e
        ]
        c = abs(coefficient)
        size = (
            str(c.numerator)
            if c.denominator == 1
            else rf"\frac{{{c.numerator}}}{{{c.denominator}}}"
        )
        text = r"\,".join(factors if size == "1" and factors else [size, *factors])
        parts.append((coefficient < 0, text))
    return _signed(parts, minus="-")


def python(polynomial: Polynomial) -> str:
    """An expression of integers that gives the exact value: ``(9*b*h**2 + 32*b) // 32``."""
    below = lcm(*(c.denominator for _, c in polynomial))
    parts = []
    for exponents, coefficient in polynomial:
        factors = [
            name + (f"**{e}" if e > 1 else "")
            for name, e in zip(polynomial.sizes, exponents, strict=True)
            if e
        ]
        size = str(abs(coefficient.numerator) * (below // coefficient.denominator))
        text = "*".join(factors if size == "1" and factors else [size, *factors])
        parts.append((coefficient < 0, text))
    whole = _signed(parts, minus="-")
    return whole if below == 1 else f"({whole}) // {below}"


def number(value: Fraction) -> str:
    """``1,067,984/5``, digits in groups of three."""
    above = f"{value.numerator:,}"
    return above if value.denominator == 1 else f"{above}/{value.denominator:,}"


def _signed(parts: list[tuple[bool, str]], minus: str) -> str:
    text = ""
    for negative, part in parts:
        sign = (f" {minus} " if text else minus) if negative else " + " if text else ""
        text += sign + part
    return text or "0"


def _latex_name(name: str) -> str:
    escaped = name.replace("_", r"\_")
    return name if len(name) == 1 else rf"\mathrm{{{escaped}}}"

"""Polynomials: arithmetic, values, text."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dispatchcount as dc
from dispatchcount.laws.notation import latex, python
from dispatchcount.laws.polynomial import binomial

B_S = ("b", "s")
terms = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.fractions(max_denominator=50, min_value=-(10**6), max_value=10**6),
    max_size=6,
)
polynomials = terms.map(lambda found: dc.Polynomial(B_S, found))
sizes = st.integers(1, 10**5)


@given(polynomials, polynomials, sizes, sizes)
def test_sums_and_products_are_those_of_the_values(
    p: dc.Polynomial, q: dc.Polynomial, b: int, s: int
) -> None:
    assert (p + q)(b=b, s=s) == p(b=b, s=s) + q(b=b, s=s)
    assert (p - q)(b=b, s=s) == p(b=b, s=s) - q(b=b, s=s)
    assert (p * q)(b=b, s=s) == p(b=b, s=s) * q(b=b, s=s)
    assert (3 * p + 1)(b=b, s=s) == 3 * p(b=b, s=s) + 1


@given(polynomials, sizes, sizes, st.integers(0, 50))
def test_a_shift_is_a_value_further_on(p: dc.Polynomial, b: int, s: int, by: int) -> None:
    assert p.shifted("s", by)(b=b, s=s) == p(b=b, s=s + by)


@given(polynomials, sizes, sizes)
def test_the_python_expression_has_the_same_value(p: dc.Polynomial, b: int, s: int) -> None:
    value = p(b=b, s=s)
    if value == int(value):
        assert eval(python(p), {"b": b, "s": s}) == value


@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 4), st.integers(0, 30))
def test_binomials_count_at_steps(start: int, step: int, order: int, t: int) -> None:
    from math import comb

    p = binomial(B_S, 1, start, step, order)
    assert p(b=7, s=start + step * t) == comb(t, order)


def test_text() -> None:
    p = dc.Polynomial(
        B_S, {(1, 2): Fraction(18432), (1, 1): Fraction(123532032), (0, 0): Fraction(-5)}
    )
    assert str(p) == "18,432·b·s² + 123,532,032·b·s − 5"
    assert repr(p) == "Polynomial(18,432·b·s² + 123,532,032·b·s − 5)"
    assert latex(p) == r"18432\,b\,s^{2} + 123532032\,b\,s - 5"
    assert python(p) == "18432*b*s**2 + 123532032*b*s - 5"
    half = dc.Polynomial(("b", "h_in"), {(1, 2): Fraction(9, 32), (0, 0): Fraction(1)})
    assert str(half) == "9/32·b·h_in² + 1"
    assert python(half) == "(9*b*h_in**2 + 32) // 32"
    assert latex(half) == r"\frac{9}{32}\,b\,\mathrm{h\_in}^{2} + 1"
    assert str(dc.Polynomial(B_S)) == "0"
    assert str(dc.Polynomial(B_S, {(1, 0): Fraction(1), (0, 1): Fraction(-1)})) == "b − s"


def test_parts() -> None:
    p = dc.Polynomial(B_S, {(1, 2): 3, (1, 1): 5, (0, 1): 0})
    assert dict(p.terms) == {(1, 2): 3, (1, 1): 5}
    assert p.coefficient(b=1, s=2) == 3
    assert p.coefficient(s=9) == 0
    assert (p.degree("s"), p.degree("b")) == (2, 1)
    assert p(b=2, s=10) == 700
    assert isinstance(p(b=2, s=10), int)
    assert dc.Polynomial(("s",), {(1,): Fraction(1, 2)})(s=3) == Fraction(3, 2)
    assert p == dc.Polynomial(B_S, {(1, 1): 5, (1, 2): 3})
    assert hash(p) == hash(dc.Polynomial(B_S, {(1, 1): 5, (1, 2): 3}))
    assert pickle.loads(pickle.dumps(p)) == copy.deepcopy(p) == p


def test_wrong_use_is_named() -> None:
    p = dc.Polynomial(B_S, {(1, 2): 3})
    with pytest.raises(TypeError, match="the polynomial is in b, s; got b"):
        p(b=2)
    with pytest.raises(TypeError, match="not in t"):
        p.coefficient(t=1)
    with pytest.raises(ValueError, match="do not add up"):
        p + dc.Polynomial(("b", "t"), {(1, 1): 1})
    with pytest.raises(ValueError, match="do not fit the sizes"):
        dc.Polynomial(B_S, {(1,): 3})

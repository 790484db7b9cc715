"""Costs add up and repeat, and a contraction says what it is made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import COUNTS, Cost, contraction
from dispatchcount.rules.core.shape import Shape

SOME = st.integers(0, 1000)
BYTES = st.none() | SOME
COSTS = st.builds(Cost, SOME, SOME, SOME, SOME, SOME, BYTES, BYTES, st.booleans())


@given(COSTS, COSTS)
def test_a_sum_adds_every_count(a: Cost, b: Cost) -> None:
    for name in COUNTS:
        assert (getattr(a + b, name) or 0) == (getattr(a, name) or 0) + (getattr(b, name) or 0)
    assert (a + b).estimate == (a.estimate or b.estimate)


@given(COSTS, st.integers(1, 5))
def test_a_product_is_a_repeated_sum(cost: Cost, times: int) -> None:
    assert cost * times == times * cost == sum((cost for _ in range(times - 1)), cost)


@given(COSTS)
def test_bytes_stay_unset_only_if_both_sides_are(cost: Cost) -> None:
    assert Cost() + cost == cost + Cost() == cost


def test_a_contraction_hands_on_its_result() -> None:
    out = Shape((4, 5))
    assert contraction(60, out) == Cost(macs=60, activations=20)
    assert contraction(60, out, bias=True) == Cost(macs=60, arithmetic=20, activations=20)


def test_a_complex_mac_is_four_real_ones() -> None:
    real, pair = Shape((4, 5)), Shape((4, 5), "complex64")
    assert contraction(60, pair).macs == 240
    assert contraction(60, real, operand=pair).macs == 240
    assert contraction(60, pair, operand=real).macs == 60

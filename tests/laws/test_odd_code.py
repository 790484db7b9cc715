"""Code whose cost is no polynomial, or one only for some sizes: the law of it is exact wherever it claims to hold, or the row is refused. A wrong law is worse than none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import exp, gcd, isqrt, log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dispatchcount as dc
from tests.laws.code import of, product

pytestmark = pytest.mark.torch_alone

Cost = Callable[..., int]
"""The MACs of code at given sizes."""


def held(cost: Cost, tries: int = 60, largest: int = 200_000, **sizes: int) -> dc.Law | None:
    """The law of code that does ``cost(**sizes)`` MACs, held against them at random sizes of every order of magnitude; None if there is none."""
    try:
        law = of(lambda **sizes: product(cost(**sizes), 1, 1), **sizes)
    except dc.LawError:
        return None
    random = Random(0)
    for _ in range(tries):
        point = {}
        for range_ in law.domain("macs").ranges:
            steps = max(largest - range_.least, 0) // range_.step
            step = int(exp(random.uniform(0, log(steps + 1)))) - 1
            point[range_.size] = range_.least + range_.step * step
        try:
            macs = law(**point).macs
        except dc.LawError:
            continue
        assert macs == cost(**point), (point, str(law.macs), law.holds)
    return law


def has_a_formula(law: dc.Law | None) -> bool:
    return law is not None and "macs" not in law.total.refused


@pytest.mark.parametrize("start", [{"x": 2, "y": 16}, {"x": 20, "y": 3}, {"x": 5, "y": 5}])
@pytest.mark.parametrize(
    "cost",
    [
        lambda x, y: 3 * max(x, y),
        lambda x, y: 3 * min(x, y) + x * y,
        lambda x, y: abs(x - y) + x,
        lambda x, y: x * y * (2 if x < y else 1),
        lambda x, y: x * x * y if x < y else x * y * y,
        lambda x, y: x * y + (x == y) * x,
        lambda x, y: gcd(x, y),
    ],
)
def test_what_follows_the_order_of_two_sizes_is_refused(cost: Cost, start: dict[str, int]) -> None:
    assert not has_a_formula(held(cost, **start))


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 40_000), st.integers(1, 9), st.booleans())
def test_thresholds_of_sums_and_products_bound_the_domain(t: int, c: int, product_: bool) -> None:
    """The law holds for a box of sizes, whose corner is inside as well."""
    held(lambda x, y: x * y * (1 + c * ((x * y if product_ else x + y) > t)), x=2, y=16)


def test_the_cheaper_of_two_orders_bounds_the_domain() -> None:
    """``A @ B @ C`` in the order that costs less, (x·50 + x·20)·y or 1,000·(x + y)."""
    law = held(lambda x, y: min(70 * x * y, 1000 * (x + y)), x=2, y=16)
    assert law is not None
    assert str(law.macs) == "1,000·x + 1,000·y"
    least = {r.size: r.least for r in law.domain("macs").ranges}
    assert 70 * least["x"] * least["y"] >= 1000 * (least["x"] + least["y"])


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(
        [(4, 0), (8, 0), (16, 0), (64, 0), (256, 0), (3, 0), (5, 0), (7, 0), (8, -1), (64, -1)]
    ),
    st.integers(2, 70),
)
def test_more_for_multiples_of_a_number_is_never_missed(
    class_: tuple[int, int], start: int
) -> None:
    """A kernel that is chosen where a size is aligned, or where it is one less."""
    m, rest = class_
    held(lambda x, y: x * y * (2 if x % m == rest % m else 1), x=start, y=3)
    held(lambda x: x * (2 if x % m == rest % m else 1), x=start)


@pytest.mark.parametrize(("low", "high"), [(500, 1000), (2000, 4096), (5000, 20_000)])
def test_a_band_between_round_numbers_is_refused(low: int, high: int) -> None:
    assert not has_a_formula(held(lambda x: x * (2 if low <= x < high else 1), x=16))


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 30_000), st.integers(1, 3))
def test_a_band_of_one_size_is_never_missed(first: int, factor: int) -> None:
    """From one size to the next but one power of two and more, the code does something else."""
    low, high = first, first * (1 + factor) * 3 // 2
    held(lambda x: x * (2 if low <= x < high else 1), x=16)


@pytest.mark.parametrize(
    "cost",
    [
        lambda x: isqrt(x),
        lambda x: x * x.bit_length(),
        lambda x: 1 << (x - 1).bit_length(),
        lambda x: -(-x // 11) * 11,
        lambda x: -(-x // 1000) * 1000,
        lambda x: x**5,
        lambda x: sum(x // 2**k for k in range(10)),
        lambda x: gcd(x, 24),
    ],
)
def test_what_is_no_polynomial_of_one_size(cost: Cost) -> None:
    held(cost, x=16)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_mixture_is_exact_or_refused(data: st.DataObject) -> None:
    """Sums of products of what code makes of sizes: windows, strides, paddings, thresholds, the larger one.

    The same mixtures are tried in each run, because no finite number of points tells every law that is wrong: a mixture
    of a residue class of one size and a threshold of another may still be accepted. docs/laws.md says so.
    """
    number = st.integers(1, 400)
    modulus = st.sampled_from([2, 3, 4, 5, 7, 8, 16, 32, 60])

    def factor() -> Callable[[int, int], int]:
        n, m = data.draw(number), data.draw(modulus)
        kinds: list[Callable[[int, int], int]] = [
            lambda x, y: x,
            lambda x, y: y,
            lambda x, y: n,
            lambda x, y: x // m,
            lambda x, y: -(-y // m) * m,
            lambda x, y: min(x, n),
            lambda x, y: max(y, n),
            lambda x, y: min(x + y, n),
            lambda x, y: max(x, y),
            lambda x, y: x if x > n else 0,
            lambda x, y: 1 + (y % 8 == 0),
            lambda x, y: (x + y) // m,
        ]
        return kinds[data.draw(st.integers(0, len(kinds) - 1))]

    terms = [(factor(), factor()) for _ in range(data.draw(st.integers(1, 3)))]
    start = data.draw(st.integers(2, 40)), data.draw(st.integers(2, 40))
    held(lambda x, y: sum(f(x, y) * g(x, y) for f, g in terms), x=start[0], y=start[1])


@pytest.mark.parametrize("period", [2, 3, 4])
def test_what_happens_in_every_few_runs_is_refused(period: int) -> None:
    """A step of an optimizer after so many gradients, counted from run to run."""
    runs = count()
    law = of(
        lambda b: (product(b, 2, 2), product(30, 30, int(next(runs) % period == period - 1))),
        b=2,
    )
    with pytest.raises(dc.LawError, match="depends on data or on what earlier runs left"):
        _ = law.macs


def test_what_begins_after_some_runs_is_refused() -> None:
    runs = count()
    assert not has_a_formula(held(lambda b: b * (5 if next(runs) < 7 else 8), b=2))

"""Numbers as people read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.render.numbers import (
    aligned,
    bytes_said,
    duration,
    every_digit,
    human,
    in_unit,
    nbytes,
    percent,
    plural,
)

pytestmark = pytest.mark.torch_alone

FACTORS = {"": 1} | {prefix: 1000 ** (i + 1) for i, prefix in enumerate("kMGTPEZYRQ")}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1"),
        (999, "999"),
        (1000, "1.00 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (4_111_512_576, "4.11 G"),
        (25_557_032, "25.6 M"),
        (10**30, "1.00 Q"),
        (10**36, "1.00e36"),
        (-4200, "-4.20 k"),
        (0.0, "0"),
        (0.25, "0.250"),
        (12.0, "12.0"),
        (999.7, "1.00 k"),
        (0.0004, "<0.001"),
    ],
)
def test_human(value, text):
    assert human(value) == text


@given(st.integers(0, 10**33 - 10**31))
def test_human_is_right_to_half_a_digit(value):
    number, prefix = re.fullmatch(r"(\d+(?:\.\d+)?)(?: ([kMGTPEZYRQ]))?", human(value)).groups(
        default=""
    )
    assert abs(float(number) * FACTORS[prefix] - value) <= max(value * 0.00501, 0)
    assert len(number.replace(".", "")) <= 3


@given(st.integers(-(10**30), 10**30))
def test_exact_says_every_digit(value):
    assert int(every_digit(value).replace(",", "")) == value


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0 %"),
        (1, "100.0 %"),
        (0.5731, "57.3 %"),
        (0.0004, "<0.1 %"),
        (1e-12, "<0.1 %"),
        (0.0006, "0.1 %"),
    ],
)
def test_percent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1234, "1.23 µs"),
        (999_999, "1.00 ms"),
        (1_500_000, "1.50 ms"),
        (999_900_000_000, "1,000 s"),
        (3_600_000_000_000, "3,600 s"),
    ],
)
def test_duration(ns, text):
    assert duration(ns) == text


def test_exact_duration():
    assert duration(1_234_567, exact=True) == "1,234,567 ns"


def test_plural():
    assert [plural(n, "module") for n in (0, 1, 2000)] == ["0 modules", "1 module", "2,000 modules"]


def test_units_stand_below_one_another():
    assert aligned(["4.11 G", "512", "–", "<0.001"]) == ["4.11 G", "512  ", "–  ", "<0.001  "]
    assert aligned(["1", "–"]) == ["1", "–"]
    assert aligned(["1.00 s", "20.0 ms"]) == ["1.00 s ", "20.0 ms"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1024, "1.02 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_572_864, "1.57 MB"),
        (3 * 2**29, "1.61 GB"),
        (1.5e12, "1.50 TB"),
    ],
)
def test_bytes_have_decimal_prefixes(value, text):
    assert nbytes(value) == text


def test_bytes_in_full():
    assert nbytes(1_572_864, exact=True) == "1,572,864"
    assert bytes_said(1_572_864, exact=True) == "1,572,864 bytes"


@given(st.integers(0, 10**33))
def test_bytes_are_written_as_all_other_numbers_are(value):
    number = human(value)
    assert nbytes(value) == (f"{number}B" if " " in number else f"{number} B")


@pytest.mark.parametrize(
    ("unit", "text", "full"),
    [
        ("bytes", "1.23 MB", "1,234,567"),
        ("nanoseconds", "1.23 ms", "1,234,567 ns"),
        ("elements", "1.23 M", "1,234,567"),
    ],
)
def test_a_figure_is_written_by_its_unit(unit, text, full):
    assert (in_unit(unit)(1_234_567, False), in_unit(unit)(1_234_567, True)) == (text, full)

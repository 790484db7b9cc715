"""Figures that follow from a row, with the arithmetic beside them."""

from __future__ import annotations

import pytest

from dispatchcount.report.derived import intensity, nbytes, part, rate, share
from dispatchcount.report.metrics import Stats

pytestmark = pytest.mark.torch_alone

ROW = Stats(flops=1200, bytes_read=300, bytes_written=100, time_ns=2_000)


def test_bytes_are_those_of_both_ways() -> None:
    assert nbytes(ROW) == 300 + 100


def test_intensity_is_flops_a_byte() -> None:
    assert intensity(ROW) == 1200 / (300 + 100)
    assert intensity(Stats(flops=1200)) is None
    assert intensity(None) is None


def test_rate_is_flops_a_second() -> None:
    assert rate(ROW) == 1200 / 2e-6
    assert rate(Stats(flops=1200)) is None
    assert rate(None) is None


def test_a_share_is_of_all_flops() -> None:
    assert share(ROW, Stats(flops=4800)) == 0.25
    assert share(ROW, Stats()) is None
    assert share(None, ROW) is None
    assert part(3, 12) == 0.25
    assert part(3, 0) is None

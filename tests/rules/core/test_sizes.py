"""Small readings of an argument list."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core import sizes
from tests.rules.util import S


@given(st.integers(1, 10**6))
def test_log2_rounds_up(n: int) -> None:
    assert 2 ** sizes.log2(n) >= n > 2 ** (sizes.log2(n) - 1) or n == 1


def test_one_number_stands_for_all_dimensions() -> None:
    assert (sizes.times(3, 2), sizes.times([3], 2), sizes.times([3, 5], 2)) == (9, 9, 15)


@given(st.lists(st.sampled_from([1, 3]), max_size=3), st.lists(st.sampled_from([1, 3]), max_size=3))
def test_broadcast_is_torchs(a: list[int], b: list[int]) -> None:
    assert sizes.broadcast(a, b) == torch.broadcast_shapes(a, b).numel()


def test_broadcast_of_nothing() -> None:
    assert (sizes.broadcast(), sizes.broadcast((0, 3), (1,))) == (1, 0)


def test_a_scalar_is_a_vector_of_one() -> None:
    assert (sizes.along((), -1), sizes.along((4, 5), -1)) == (1, 5)


def test_the_result_is_the_first_tensor() -> None:
    assert sizes.result((None, S(2, 3), S(4))) == (2, 3)
    assert (sizes.first((S(2, 3), S(4))), sizes.first((None, 3))) == (6, 0)
    with pytest.raises(ValueError, match="returned no tensor"):
        sizes.result(())


def test_optional_tensors_that_are_there() -> None:
    assert sizes.count_given(S(2), None, S()) == 2

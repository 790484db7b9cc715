"""Gradients of normalizations."""

from __future__ import annotations

import pytest

from tests.rules.util import S, ask


@pytest.mark.parametrize(
    ("mask", "per_element"),
    [
        ((True, True, True), 2 + 8 + 2 + 1),
        ((True, False, False), 2 + 8),
        ((False, True, True), 2 + 2 + 1),
        ((False, False, True), 1),
        ((False, False, False), 0),
    ],
)
def test_backward_counts_the_gradients_asked_for(mask: tuple[bool, ...], per_element: int) -> None:
    x, c = S(4, 6), S(6)
    cost = ask(
        "aten::native_layer_norm_backward", x, x, (6,), S(4, 1), S(4, 1), c, c, mask, out=(x, c, c)
    )
    assert cost.arithmetic == 24 * per_element
    assert cost.fvcore == 0


def test_backward_of_a_frozen_batch_norm_is_one_product() -> None:
    x, c = S(2, 3, 4), S(3)
    frozen = ask(
        "aten::native_batch_norm_backward",
        x,
        x,
        c,
        c,
        c,
        c,
        c,
        False,
        None,
        (True, False, False),
        out=(x, None, None),
    )
    assert frozen.arithmetic == x.numel * 2  # times the weight, times the reciprocal deviation

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


def test_kernels_of_batch_norm_agree() -> None:
    """cuDNN's and the unified one take what the native one takes, all three gradients."""
    x, c, yes = S(2, 3, 4), S(3), (True, True, True)
    native = ask(
        "aten::native_batch_norm_backward", x, x, c, c, c, c, c, True, 1e-5, yes, out=(x, c, c)
    )
    cudnn = ask("aten::cudnn_batch_norm_backward", x, x, c, c, c, c, c, 1e-5, S(0), out=(x, c, c))
    unified = ask(
        "aten::batch_norm_backward", x, x, c, c, c, c, c, True, 1e-5, yes, S(0), out=(x, c, c)
    )
    assert native == cudnn == unified


def test_parts_of_a_synchronized_batch_norm() -> None:
    """Two sums a channel of ``g`` and ``g * (x - mean)``; then ``(g - a - (x - mean) * b) * c``."""
    x, c = S(2, 3, 4), S(3)
    yes = (True, True, True)
    sums = ask("aten::batch_norm_backward_reduce", x, x, c, c, c, *yes, out=(c, c, c, c))
    assert sums.arithmetic == 24 * 4
    each = ask("aten::batch_norm_backward_elemt", x, x, c, c, c, c, c, S(2), out=x)
    assert each.arithmetic == 24 * 5


def test_weight_norm_and_rms_norm() -> None:
    """6 rows of 4: 5 an element and 3 a row; without a mean, one product normalizes."""
    v, g = S(6, 4), S(6, 1)
    back = ask("aten::_weight_norm_interface_backward", v, v, g, g, 0, out=(v, g))
    assert back.arithmetic == 24 * 5 + 6 * 3
    w, rstd = S(4), S(6, 1)
    rms = "aten::_fused_rms_norm_backward"
    # Normalize; 5 and the weight for the input's gradient; a product and a sum for the weight's.
    both = ask(rms, v, v, (4,), rstd, w, (True, True), out=(v, w))
    assert both.arithmetic == 24 * (1 + 6 + 2)
    assert ask(rms, v, v, (4,), rstd, None, (True, False), out=(v, None)).arithmetic == 24 * (1 + 5)

"""Deformable convolution: the MACs of the convolution, the sampling beside them."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask

TAIL = (1, 1, 1, 1, 1, 1, 1, 2)  # stride, padding, dilation, groups, offset groups


def forward(*, masked: bool) -> Cost:
    x, w, offset, mask, bias = (
        S(2, 4, 8, 8),
        S(6, 4, 3, 3),
        S(2, 2 * 2 * 9, 8, 8),
        S(2, 2 * 9, 8, 8),
        S(6),
    )
    return ask(
        "torchvision::deform_conv2d", x, w, offset, mask, bias, *TAIL, masked, out=S(2, 6, 8, 8)
    )


def test_forward() -> None:
    out, samples, places = 2 * 6 * 64, 2 * 4 * 9 * 64, 2 * 2 * 9 * 64
    assert forward(masked=False) == Cost(
        macs=out * 36, arithmetic=7 * samples + 12 * places + out, activations=out
    )
    assert forward(masked=True).arithmetic == forward(masked=False).arithmetic + samples


def test_backward_takes_the_forward_for_each_of_samples_and_weight() -> None:
    grad = S(2, 6, 8, 8)
    x, w, offset, mask, bias = S(2, 4, 8, 8), S(6, 4, 3, 3), S(2, 36, 8, 8), S(2, 18, 8, 8), S(6)
    cost = ask("torchvision::_deform_conv2d_backward", grad, x, w, offset, mask, bias, *TAIL, False)
    samples, places = 2 * 4 * 9 * 64, 2 * 2 * 9 * 64
    assert cost == Cost(
        macs=2 * forward(masked=False).macs,
        arithmetic=(7 + 8 + 14 + 4) * samples + 12 * places + grad.numel,
    )

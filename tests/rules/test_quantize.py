"""Quantizing, dequantizing, and their imitation in training."""

from __future__ import annotations

import pytest
import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, total


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_quantise_and_back() -> None:
    """Divide, round, shift, two bounds; shift and scale back."""
    x = torch.rand(3, 4)
    assert total(lambda: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)).arithmetic == 60
    q = torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)
    assert total(q.dequantize).arithmetic == 24
    assert total(lambda: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)).arithmetic == 84


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_what_is_learnt_or_observed() -> None:
    """A range takes a minimum and a maximum; gradients of scale and zero point 4 and 3 a value."""
    x = torch.rand(3, 4)
    dynamic = total(torch.quantize_per_tensor_dynamic, x, torch.quint8, False)
    assert dynamic == Cost(arithmetic=12 * (2 + 5))
    q = S(3, 4)
    for name in ("per_tensor", "per_channel"):
        learnt = f"aten::_fake_quantize_learnable_{name}_affine"
        assert ask(learnt, q, S(1), S(1), 0, 255, out=q) == Cost(arithmetic=12 * 7)
        # Quantized again, 5; then 2 for the input, 4 for the scale, 3 for the zero point.
        back = ask(f"{learnt}_backward", q, q, S(1), S(1), 0, 255, out=(q, S(1), S(1)))
        assert back == Cost(arithmetic=12 * (5 + 2 + 4 + 3))
    observed = ask("aten::_fused_moving_avg_obs_fq_helper", q, S(1), S(1), out=(q, q))
    assert observed == Cost(arithmetic=12 * (2 + 7))


def test_stored_integers_are_copied() -> None:
    q = torch.quantize_per_tensor(torch.rand(3, 4), 0.1, 0, torch.quint8)
    assert total(q.int_repr) == Cost()

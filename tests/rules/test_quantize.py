"""Quantizing, dequantizing, and their imitation in training."""

from __future__ import annotations

import pytest
import torch

from tests.rules.util import total


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_quantise_and_back() -> None:
    """Divide, round, shift, two bounds; shift and scale back."""
    x = torch.rand(3, 4)
    assert total(lambda: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)).arithmetic == 60
    q = torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)
    assert total(q.dequantize).arithmetic == 24
    assert total(lambda: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)).arithmetic == 84

"""Weights that are laid out anew for a kernel: copies, and no arithmetic."""

from __future__ import annotations

import pytest
import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, watch
from tests.rules.util import cost as cost_of

pytestmark = pytest.mark.usefixtures("quantized_engine")


def test_a_packed_object_is_as_large_as_what_goes_in() -> None:
    """A weight of 5 x 8 bytes and a bias of 5 floats, there and back."""
    weight = torch.quantize_per_tensor(torch.rand(5, 8), 0.1, 0, torch.qint8)
    bias = torch.rand(5)
    [there] = [
        call
        for call in watch(torch.ops.quantized.linear_prepack, weight, bias)
        if call.packet == "quantized::linear_prepack"
    ]
    moved = 40 + 5 * 4
    assert cost_of(there) == Cost(bytes_read=moved, bytes_written=moved)
    out = (S(5, 8, dtype="qint8"), S(5))
    assert ask("quantized::linear_unpack", None, out=out) == Cost(
        bytes_read=moved, bytes_written=moved
    )


def test_another_layout_is_a_copy() -> None:
    assert ask("mkldnn::_reorder_linear_weight", S(5, 8), None, out=S(5, 8)) == Cost()

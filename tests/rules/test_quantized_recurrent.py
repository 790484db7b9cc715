"""Quantized recurrent networks cost what their float twins do."""

from __future__ import annotations

import pytest
import torch

from tests.rules.util import S, ask, only, whole

pytestmark = pytest.mark.usefixtures("quantized_engine")

R = torch.randn


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_dynamic_networks(kind: str, bidirectional: bool) -> None:
    net = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](3, 4, 2, bidirectional=bidirectional)
    quantized = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(net), {type(net)}, dtype=torch.qint8
    )[0]
    x = R(5, 2, 3)
    assert only(quantized, x, name=f"aten::quantized_{kind}") == whole(net, x)
    packed = torch.nn.utils.rnn.pack_sequence([R(5, 3), R(2, 3)])
    assert only(quantized, packed, name=f"aten::quantized_{kind}").macs == whole(net, packed).macs


def test_cells() -> None:
    for kind, cell in {
        "lstm": torch.nn.LSTMCell,
        "gru": torch.nn.GRUCell,
        "rnn_tanh": torch.nn.RNNCell,
    }.items():
        expected = whole(cell(3, 4), R(2, 3))
        state = S(2, 4)
        out = (state, state) if kind == "lstm" else state
        hx = (state, state) if kind == "lstm" else state
        args = S(2, 3), hx, None, None, S(16), S(16)
        assert ask(f"quantized::quantized_{kind}_cell_dynamic", *args, out=out) == expected
        assert ask(f"aten::quantized_{kind}_cell", *args, *[None] * 8, out=out) == expected

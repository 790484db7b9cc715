"""Recurrent cells and layers against nested loops, kernels against cells, packed against padded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.shape import Shape
from tests.rules.util import S, ask, names, only, total, watch, whole

R = torch.randn
NETS = {
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
    "tanh": torch.nn.RNN,
    "relu": lambda *a, **k: torch.nn.RNN(*a, nonlinearity="relu", **k),
}
CELLS = {
    "lstm": torch.nn.LSTMCell,
    "gru": torch.nn.GRUCell,
    "tanh": torch.nn.RNNCell,
    "relu": lambda *a, **k: torch.nn.RNNCell(*a, nonlinearity="relu", **k),
}
GATES = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}
MODE = {"relu": 0, "tanh": 1, "lstm": 2, "gru": 3}


def walk(
    kind: str,
    steps: int,
    batch: int,
    width: int,
    hidden: int,
    layers: int,
    directions: int,
    proj: int = 0,
) -> int:
    """Multiply-adds of a network, gate by gate."""
    macs, state = 0, proj or hidden
    for _step in range(steps):
        for layer in range(layers):
            for _direction in range(directions):
                for _item in range(batch):
                    for _row in range(GATES[kind] * hidden):
                        macs += (state * directions if layer else width) + state
                    macs += proj * hidden
    return macs


def same(a: Cost, b: Cost) -> bool:
    """Apart from what is handed on: a fused kernel does not hand on its products."""
    return (a.macs, a.arithmetic, a.transcendentals) == (b.macs, b.arithmetic, b.transcendentals)


NET = st.tuples(
    st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.integers(2, 3), st.integers(1, 2)
)


@pytest.mark.parametrize("kind", NETS)
@given(NET, st.booleans(), st.booleans())
@settings(max_examples=12, deadline=None)
def test_layers(kind: str, sizes: Any, bidirectional: bool, bias: bool) -> None:
    steps, batch, width, hidden, layers = sizes
    directions = 1 + bidirectional
    net = NETS[kind](width, hidden, layers, bias=bias, bidirectional=bidirectional)
    x = R(steps, batch, width)
    macs = walk(kind, steps, batch, width, hidden, layers, directions)
    composite = whole(net, x)
    assert composite.macs == macs
    assert composite.activations == steps * batch * hidden * directions
    assert same(total(net, x), composite)  # oneDNN's kernel, or the cells one by one
    with torch.device("meta"):
        meta = NETS[kind](width, hidden, layers, bias=bias, bidirectional=bidirectional)
        assert same(total(meta, torch.empty(steps, batch, width)), composite)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_its_cell_over_and_over(kind: str, bias: bool) -> None:
    cell, x = CELLS[kind](3, 4, bias=bias), R(2, 3)
    step = whole(cell, x)
    assert step.macs == 2 * GATES[kind] * 4 * (3 + 4)
    assert same(total(cell, x), step)
    net = NETS[kind](3, 4, bias=bias)
    assert same(whole(net, R(5, 2, 3)), step * 5)


def test_projection() -> None:
    net, x = torch.nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True), R(4, 2, 3)
    composite = whole(net, x)
    assert composite.macs == walk("lstm", 4, 2, 3, 5, 2, 2, proj=2)
    assert same(total(net, x), composite)
    assert composite.activations == 4 * 2 * 2 * 2


@pytest.mark.parametrize("kind", NETS)
def test_packed_sequences_take_their_own_steps(kind: str) -> None:
    net = NETS[kind](4, 8, bidirectional=True)
    x = pack_sequence([R(7, 4), R(3, 4), R(1, 4)])
    composite = whole(net, x)
    assert composite.macs == 11 * 2 * GATES[kind] * 8 * 12
    assert composite.activations == 11 * 2 * 8
    assert total(net, x).macs == composite.macs


def test_batch_first_and_no_batch() -> None:
    net = torch.nn.LSTM(4, 8, batch_first=True)
    assert whole(net, R(3, 5, 4)).macs == 15 * 32 * 12
    assert whole(net, R(5, 4)).macs == 5 * 32 * 12


def weights(kind: str, width: int, hidden: int, layers: int, directions: int) -> list[Shape]:
    net = NETS[kind](width, hidden, layers, bidirectional=directions == 2)
    return [S(*p.shape) for p in net.parameters()]


@pytest.mark.parametrize("kind", NETS)
def test_kernels_of_other_devices_agree_with_the_network(kind: str) -> None:
    net, x = NETS[kind](3, 4, 2, bidirectional=True), R(5, 2, 3)
    expected = whole(net, x)
    params, seq, out = weights(kind, 3, 4, 2, 2), S(5, 2, 3), S(5, 2, 8)
    state = S(4, 2, 4)
    tail = (MODE[kind], 4, 0, 2, False, None, True, True, (), None)
    cudnn = ask(
        "aten::_cudnn_rnn",
        seq,
        params,
        4,
        None,
        state,
        state,
        *tail,
        out=(out, state, state, None, None),
    )
    miopen_tail = (MODE[kind], 4, 2, False, None, True, True, (), None)
    miopen = ask(
        "aten::miopen_rnn",
        seq,
        params,
        4,
        state,
        state,
        *miopen_tail,
        out=(out, state, state, None, None),
    )
    assert cudnn == miopen == expected
    packed = ask(
        "aten::_cudnn_rnn",
        S(10, 3),
        params,
        4,
        None,
        state,
        state,
        *tail[:-2],
        (2,) * 5,
        None,
        out=(S(10, 8), state),
    )
    assert packed == expected
    for mask, factor in (((True,) * 4, 2), ((True, True, True, False), 1)):
        back = ask(
            "aten::_cudnn_rnn_backward",
            seq,
            params,
            4,
            None,
            state,
            state,
            out,
            out,
            state,
            state,
            *tail,
            None,
            mask,
        )
        assert back.macs == factor * expected.macs
        assert back.activations == 0
        back = ask(
            "aten::miopen_rnn_backward",
            seq,
            params,
            4,
            None,
            state,
            state,
            out,
            out,
            state,
            state,
            *miopen_tail,
            None,
            mask,
        )
        assert back.macs == factor * expected.macs
    if kind == "lstm":
        mps = (seq, (state, state), params, True, 2, None, True, True, False)
        assert ask("aten::_lstm_mps", *mps, out=(out, state, state)) == expected
        back = ask("aten::lstm_mps_backward", out, state, state, None, None, seq, None, *mps[1:])
        assert back.macs == 2 * expected.macs


def test_onednn_backward_takes_the_forward_twice() -> None:
    net, x = torch.nn.LSTM(3, 4), R(5, 2, 3, requires_grad=True)
    y = net(x)[0].sum()
    calls = watch(y.backward)
    if "aten::mkldnn_rnn_layer_backward" in names(calls):
        assert (
            only(net(x)[0].sum().backward, name="aten::mkldnn_rnn_layer_backward").macs
            == 2 * whole(net, x).macs
        )
    shapes = (
        S(5, 2, 3),
        S(16, 3),
        S(16, 4),
        S(16),
        S(16),
        S(2, 4),
        S(2, 4),
        S(5, 2, 4),
        S(2, 4),
        S(2, 4),
        S(5, 2, 4),
        None,
        None,
    )
    cost = ask(
        "aten::mkldnn_rnn_layer_backward",
        *shapes,
        False,
        2,
        4,
        1,
        True,
        True,
        False,
        (),
        False,
        None,
    )
    n = 5 * 2 * 4
    assert cost == Cost(macs=2 * 10 * 16 * 7, arithmetic=10 * 32 + 22 * n, transcendentals=n)


def test_fused_cells_are_the_gates_alone() -> None:
    """Two products without bias and the fused gates cost what the cell does."""
    for kind in ("lstm", "gru"):
        cell, gates = CELLS[kind](3, 4), GATES[kind] * 4
        expected = whole(cell, R(2, 3))
        products = ask("aten::mm", S(2, 3), S(3, gates), out=S(2, gates)) + ask(
            "aten::mm", S(2, 4), S(4, gates), out=S(2, gates)
        )
        pair = S(2, gates), S(2, gates), S(2, 4), S(gates), S(gates)
        fused = ask(f"aten::_thnn_fused_{kind}_cell", *pair)
        assert same(products + fused, expected)
        assert (fused.macs, fused.activations) == (0, 0)


def test_backward_of_fused_cells() -> None:
    state, work = S(2, 4), S(2, 16)
    lstm = Cost(arithmetic=22 * 8, transcendentals=8)
    for name in ("_thnn_fused_lstm_cell_backward", "_thnn_fused_lstm_cell_backward_impl"):
        assert ask(f"aten::{name}", state, state, state, state, work, False) == lstm
        assert ask(f"aten::{name}", state, state, state, state, work, True) == lstm + Cost(
            arithmetic=32
        )
    gru = Cost(arithmetic=16 * 8)
    assert ask("aten::_thnn_fused_gru_cell_backward", state, S(2, 20), False) == gru
    gates = S(2, 16), S(2, 16), S(16), S(16), state, state
    again = ask("aten::_thnn_differentiable_lstm_cell_backward", state, state, *gates)
    forward = ask("aten::_thnn_fused_lstm_cell", S(2, 16), S(2, 16), state, S(16), S(16))
    assert again == forward + lstm + Cost(arithmetic=32)
    pair = S(2, 12), S(2, 12), state, S(12), S(12)
    again = ask("aten::_thnn_differentiable_gru_cell_backward", state, *pair)
    assert again == ask("aten::_thnn_fused_gru_cell", *pair) + gru + Cost(arithmetic=2 * 24)

"""Recurrent networks: cells, and the kernels that run whole layers.

A step of one layer and direction multiplies the input with every element of ``w_ih`` and the hidden state with every element of
``w_hh`` (and of ``w_hr``, where the state is projected): gates · H · (in + H) MACs per step and item. A layer takes as many steps
as its input has vectors, which for packed sequences are the real ones. Each bias is one addition per row. What is handed on is
the output sequence; what passes between layers and steps is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.products import rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.recurrent_gates import BACKWARD, FORWARD, GATES, MODES

CELLS = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "tanh", "rnn_relu": "relu"}
"""Operator name: kind of cell."""


def layers(kind: str, steps: int, weights: Sequence[Shape], out: Shape) -> Cost:
    """The layers that `weights` (and biases, in any order) belong to, over so many steps in total."""
    matrices = [w for w in weights if len(w) == 2]
    biases = sum(prod(w) for w in weights if len(w) == 1)
    macs = steps * sum(map(prod, matrices))
    return Cost(macs, steps * biases, activations=out.numel) + FORWARD[kind](
        steps * hidden(kind, matrices)
    )


def hidden(kind: str, matrices: Sequence[Shape]) -> int:
    """Elements of the hidden state over all layers and directions, told from the input and hidden matrices.

    These come in pairs. The third one of a projected LSTM is there if the hidden matrix has other than hidden-size columns.
    """
    total, i = 0, 0
    while i < len(matrices):
        size = matrices[i][0] // GATES[kind]
        total += size
        i += 2 if matrices[i + 1][1] == size else 3
    return total


def layers_backward(
    kind: str, steps: int, weights: Sequence[Shape], *, to_weights: bool = True
) -> Cost:
    """The gradients of inputs and states take the forward's MACs, those of the weights as many again, a bias's a sum of rows."""
    matrices = [w for w in weights if len(w) == 2]
    biases = sum(prod(w) for w in weights if len(w) == 1)
    macs = steps * sum(map(prod, matrices))
    products = Cost(macs * (1 + to_weights), steps * biases * to_weights)
    return products + BACKWARD[kind](steps * hidden(kind, matrices))


def _register_layers(name: str, kind: str) -> None:
    """`name` takes (input, state, params, …), or (data, batch_sizes, state, params, …) for packed sequences."""

    @RULES.rule(f"aten::{name}")
    def padded(input: Shape, hx: Any, params: Sequence[Shape], *_: Any, out: Any) -> Cost:
        return layers(kind, rows(input), params, result(out))

    @RULES.rule(f"aten::{name}.data")
    def packed(
        data: Shape, batch_sizes: Any, hx: Any, params: Sequence[Shape], *_: Any, out: Any
    ) -> Cost:
        return layers(kind, rows(data), params, result(out))


def _register_cell(name: str, kind: str) -> None:
    """One step of one layer."""

    @RULES.rule(f"aten::{name}_cell")
    def cell(
        input: Shape,
        hx: Any,
        w_ih: Shape,
        w_hh: Shape,
        b_ih: Shape | None = None,
        b_hh: Shape | None = None,
        *,
        out: Any,
    ) -> Cost:
        weights = [w for w in (w_ih, w_hh, b_ih, b_hh) if w is not None]
        return layers(kind, rows(input), weights, result(out))


for _name, _kind in CELLS.items():
    _register_layers(_name, _kind)
    _register_cell(_name, _kind)


@RULES.rule("aten::mkldnn_rnn_layer")
def onednn(
    input: Shape, weight0: Shape, weight1: Shape, weight2: Shape, weight3: Shape, hx_: Shape, cx_: Shape, reverse: bool,
    batch_sizes: Sequence[int], mode: int, hidden_size: int, num_layers: int, has_biases: bool, *_: Any, out: Any,
) -> Cost:  # fmt: skip
    """One layer in one direction. Without biases the bias arguments are there all the same."""
    weights = [weight0, weight1] + ([weight2, weight3] if has_biases else [])
    return layers(MODES[mode], rows(input), weights, result(out))


@RULES.rule("aten::mkldnn_rnn_layer_backward")
def onednn_backward(
    input: Shape, weight1: Shape, weight2: Shape, weight3: Shape, weight4: Shape, hx_: Shape, cx_tmp: Shape, output: Shape,
    hy_: Shape, cy_: Shape, grad_output: Any, grad_hy: Any, grad_cy: Any, reverse: bool, mode: int, hidden_size: int,
    num_layers: int, has_biases: bool, *_: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`layers_backward`."""
    weights = [weight1, weight2] + ([weight3, weight4] if has_biases else [])
    return layers_backward(MODES[mode], rows(input), weights)


@RULES.rule("aten::_cudnn_rnn")
def cudnn(
    input: Shape,
    weight: Sequence[Shape],
    weight_stride0: int,
    weight_buf: Any,
    hx: Shape,
    cx: Any,
    mode: int,
    *_: Any,
    out: Any,
) -> Cost:
    """All layers and directions; packed sequences come as (steps, in)."""
    return layers(MODES[mode], rows(input), weight, result(out))


@RULES.rule("aten::_cudnn_rnn_backward")
def cudnn_backward(
    input: Shape, weight: Sequence[Shape], weight_stride0: int, weight_buf: Any, hx: Shape, cx: Any, output: Shape,
    grad_output: Any, grad_hy: Any, grad_cy: Any, mode: int, *rest: Any, **_: Any,
) -> Cost:  # fmt: skip
    """`layers_backward`; the last argument says whether the weights' gradients are wanted."""
    return layers_backward(MODES[mode], rows(input), weight, to_weights=bool(rest[-1][3]))


@RULES.rule("aten::miopen_rnn")
def miopen(
    input: Shape,
    weight: Sequence[Shape],
    weight_stride0: int,
    hx: Shape,
    cx: Any,
    mode: int,
    *_: Any,
    out: Any,
) -> Cost:
    """As `cudnn`."""
    return layers(MODES[mode], rows(input), weight, result(out))


@RULES.rule("aten::miopen_rnn_backward")
def miopen_backward(
    input: Shape, weight: Sequence[Shape], weight_stride0: int, weight_buf: Any, hx: Shape, cx: Any, output: Shape,
    grad_output: Any, grad_hy: Any, grad_cy: Any, mode: int, *rest: Any, **_: Any,
) -> Cost:  # fmt: skip
    """As `cudnn_backward`."""
    return layers_backward(MODES[mode], rows(input), weight, to_weights=bool(rest[-1][3]))


@RULES.rule("aten::_lstm_mps")
def lstm_mps(input: Shape, hx: Any, params: Sequence[Shape], *_: Any, out: Any) -> Cost:
    """All layers and directions of an LSTM."""
    return layers("lstm", rows(input), params, result(out))


@RULES.rule("aten::lstm_mps_backward")
def lstm_mps_backward(
    grad_y: Any, grad_hy: Any, grad_cy: Any, z_state: Any, cell_state_fwd: Any, input: Shape, layersOutputs: Any, hx: Any,
    params: Sequence[Shape], *_: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`layers_backward`."""
    return layers_backward("lstm", rows(input), params)


@RULES.rule("aten::_thnn_fused_lstm_cell")
def fused_lstm(
    input_gates: Shape,
    hidden_gates: Shape,
    cx: Shape,
    input_bias: Shape | None = None,
    hidden_bias: Shape | None = None,
    **_: Any,
) -> Cost:
    """The gates after the two products, which other operators run, and the biases, which those leave out."""
    biases = (input_bias is not None) + (hidden_bias is not None)
    return FORWARD["lstm"](cx.numel) + Cost(arithmetic=biases * input_gates.numel)


@RULES.rule("aten::_thnn_fused_gru_cell")
def fused_gru(
    input_gates: Shape,
    hidden_gates: Shape,
    hx: Shape,
    input_bias: Shape | None = None,
    hidden_bias: Shape | None = None,
    **_: Any,
) -> Cost:
    """As `fused_lstm`."""
    biases = (input_bias is not None) + (hidden_bias is not None)
    return FORWARD["gru"](hx.numel) + Cost(arithmetic=biases * input_gates.numel)


@RULES.rule("aten::_thnn_fused_lstm_cell_backward", "aten::_thnn_fused_lstm_cell_backward_impl")
def fused_lstm_backward(
    grad_hy: Any, grad_cy: Any, cx: Shape, cy: Shape, workspace: Shape, has_bias: bool, **_: Any
) -> Cost:
    """The gates' gradients, and with a bias their sum over the batch."""
    return BACKWARD["lstm"](cx.numel) + Cost(arithmetic=workspace.numel * bool(has_bias))


@RULES.rule("aten::_thnn_differentiable_lstm_cell_backward")
def differentiable_lstm_backward(
    grad_hy: Any, grad_cy: Any, input_gates: Shape, hidden_gates: Shape, *rest: Any, **_: Any
) -> Cost:
    """As `fused_lstm_backward`, with the gates formed again."""
    input_bias, hidden_bias, cx, _cy = rest
    biases = (input_bias is not None) + (hidden_bias is not None)
    return (
        FORWARD["lstm"](cx.numel)
        + BACKWARD["lstm"](cx.numel)
        + Cost(arithmetic=(biases + bool(biases)) * input_gates.numel)
    )


@RULES.rule("aten::_thnn_fused_gru_cell_backward")
def fused_gru_backward(grad_hy: Shape, workspace: Shape, has_bias: bool, **_: Any) -> Cost:
    """The gates' gradients, and with biases the sums over the batch of three gates each."""
    return BACKWARD["gru"](grad_hy.numel) + Cost(arithmetic=6 * grad_hy.numel * bool(has_bias))


@RULES.rule("aten::_thnn_differentiable_gru_cell_backward")
def differentiable_gru_backward(
    grad_hy: Shape, input_gates: Shape, hidden_gates: Shape, hx: Shape, input_bias: Shape | None, hidden_bias: Shape | None,
    **_: Any,
) -> Cost:  # fmt: skip
    """As `fused_gru_backward`, with the gates formed again."""
    biases = (input_bias is not None) + (hidden_bias is not None)
    gates = FORWARD["gru"](hx.numel) + BACKWARD["gru"](hx.numel)
    return gates + Cost(arithmetic=(biases + 2 * bool(biases)) * input_gates.numel)

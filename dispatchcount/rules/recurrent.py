"""Recurrent networks: cells, and the kernels that run whole layers.

A step of one layer and direction multiplies the input with every element of ``w_ih`` and the hidden
state with every element of ``w_hh`` (and of ``w_hr``, if the state is projected). That is gates · H
· (in + H) MACs per step and item. A layer takes as many steps as its input has vectors, which are
only the real ones in packed sequences. Each bias is one addition per row.

The output sequence counts as activations; what passes between layers and steps does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.products import rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.core.uses import together
from dispatchcount.rules.recurrent_gates import BACKWARD, FORWARD, GATES, MODES

CELL_KINDS = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "tanh", "rnn_relu": "relu"}
"""Operator name: kind of cell."""


def layers(kind: str, steps: int, weights: Sequence[Shape], out: Shape) -> Cost:
    """The forward of the layers that `weights` belong to.

    Args:
        kind: the kind of cell, a key of `GATES`.
        steps: the steps of all sequences together.
        weights: matrices and biases, in any order.
        out: the output sequence.
    """
    matrices = [w for w in weights if len(w) == 2]
    biases = sum(prod(w) for w in weights if len(w) == 1)
    macs = steps * sum(map(prod, matrices))
    return Cost(macs, steps * biases, activations=out.numel) + FORWARD[kind](
        steps * hidden_elements(kind, matrices)
    )


def hidden_elements(kind: str, matrices: Sequence[Shape]) -> int:
    """Elements of the hidden state over all layers and directions.

    They follow from the matrices for input and hidden state, which come in pairs. A projected LSTM
    has a third matrix for each pair; its hidden matrix has fewer columns than the hidden size.
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
    """The gradients of `layers`.

    Those of inputs and states take the forward's MACs, those of the weights as many again, and that
    of a bias is a sum of rows.
    """
    matrices = [w for w in weights if len(w) == 2]
    biases = sum(prod(w) for w in weights if len(w) == 1)
    macs = steps * sum(map(prod, matrices))
    products = Cost(macs * (1 + to_weights), steps * biases * to_weights)
    return products + BACKWARD[kind](steps * hidden_elements(kind, matrices))


def _register_layers(name: str, kind: str) -> None:
    """Register the operator of whole layers, and its form for packed sequences.

    The one takes (input, state, params, …), the other (data, batch_sizes, state, params, …).
    """

    @RULES.rule(f"aten::{name}", uses=together(2, data=(0, 1)))
    def padded(
        input: Shape, hx: Operand, params: Sequence[Shape], *_: Operand, out: Operand
    ) -> Cost:
        return layers(kind, rows(input), params, result(out))

    @RULES.rule(f"aten::{name}.data", uses=together(3, data=(0, 2)))
    def packed(
        data: Shape,
        batch_sizes: Operand,
        hx: Operand,
        params: Sequence[Shape],
        *_: Operand,
        out: Operand,
    ) -> Cost:
        return layers(kind, rows(data), params, result(out))


def _register_cell(name: str, kind: str) -> None:
    """Register the operator of one step of one layer."""

    @RULES.rule(f"aten::{name}_cell", uses=together(2, 3, data=(0, 1)))
    def cell(
        input: Shape,
        hx: Operand,
        w_ih: Shape,
        w_hh: Shape,
        b_ih: Shape | None = None,
        b_hh: Shape | None = None,
        *,
        out: Operand,
    ) -> Cost:
        weights = [w for w in (w_ih, w_hh, b_ih, b_hh) if w is not None]
        return layers(kind, rows(input), weights, result(out))


for _name, _kind in CELL_KINDS.items():
    _register_layers(_name, _kind)
    _register_cell(_name, _kind)


@RULES.rule("aten::mkldnn_rnn_layer", uses=together(1, 2, data=(0, 5)))
def onednn(
    input: Shape, weight0: Shape, weight1: Shape, weight2: Shape, weight3: Shape, hx_: Shape,
    cx_: Shape, reverse: bool, batch_sizes: Sequence[int], mode: int, hidden_size: int,
    num_layers: int, has_biases: bool, *_: Operand, out: Operand,
) -> Cost:  # fmt: skip
    """Runs one layer in one direction; the bias arguments are there even if it has no biases."""
    weights = [weight0, weight1] + ([weight2, weight3] if has_biases else [])
    return layers(MODES[mode], rows(input), weights, result(out))


@RULES.rule("aten::mkldnn_rnn_layer_backward")
def onednn_backward(
    input: Shape, weight1: Shape, weight2: Shape, weight3: Shape, weight4: Shape, hx_: Shape,
    cx_tmp: Shape, output: Shape, hy_: Shape, cy_: Shape, grad_output: Operand, grad_hy: Operand,
    grad_cy: Operand, reverse: bool, mode: int, hidden_size: int, num_layers: int, has_biases: bool,
    *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `layers_backward`."""
    weights = [weight1, weight2] + ([weight3, weight4] if has_biases else [])
    return layers_backward(MODES[mode], rows(input), weights)


@RULES.rule("aten::_cudnn_rnn", uses=together(1, data=(0, 4)))
def cudnn(
    input: Shape,
    weight: Sequence[Shape],
    weight_stride0: int,
    weight_buf: Operand,
    hx: Shape,
    cx: Operand,
    mode: int,
    *_: Operand,
    out: Operand,
) -> Cost:
    """Runs all layers and directions; packed sequences come as (steps, in)."""
    return layers(MODES[mode], rows(input), weight, result(out))


@RULES.rule("aten::_cudnn_rnn_backward")
def cudnn_backward(
    input: Shape, weight: Sequence[Shape], weight_stride0: int, weight_buf: Operand, hx: Shape,
    cx: Operand, output: Shape, grad_output: Operand, grad_hy: Operand, grad_cy: Operand, mode: int,
    *rest: Sequence[bool], **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `layers_backward`; the last argument says if the weights' gradients are wanted."""
    return layers_backward(MODES[mode], rows(input), weight, to_weights=bool(rest[-1][3]))


@RULES.rule("aten::miopen_rnn", uses=together(1, data=(0, 3)))
def miopen(
    input: Shape,
    weight: Sequence[Shape],
    weight_stride0: int,
    hx: Shape,
    cx: Operand,
    mode: int,
    *_: Operand,
    out: Operand,
) -> Cost:
    """Costs what `cudnn` does."""
    return layers(MODES[mode], rows(input), weight, result(out))


@RULES.rule("aten::miopen_rnn_backward")
def miopen_backward(
    input: Shape, weight: Sequence[Shape], weight_stride0: int, weight_buf: Operand, hx: Shape,
    cx: Operand, output: Shape, grad_output: Operand, grad_hy: Operand, grad_cy: Operand, mode: int,
    *rest: Sequence[bool], **_: Operand,
) -> Cost:  # fmt: skip
    """Costs what `cudnn_backward` does."""
    return layers_backward(MODES[mode], rows(input), weight, to_weights=bool(rest[-1][3]))


@RULES.rule("aten::_lstm_mps", uses=together(2, data=(0, 1)))
def lstm_mps(input: Shape, hx: Operand, params: Sequence[Shape], *_: Operand, out: Operand) -> Cost:
    """Runs all layers and directions of an LSTM."""
    return layers("lstm", rows(input), params, result(out))


@RULES.rule("aten::lstm_mps_backward")
def lstm_mps_backward(
    grad_y: Operand, grad_hy: Operand, grad_cy: Operand, z_state: Operand, cell_state_fwd: Operand,
    input: Shape, layersOutputs: Operand, hx: Operand, params: Sequence[Shape], *_: Operand,
    **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `layers_backward`."""
    return layers_backward("lstm", rows(input), params)


@RULES.rule("aten::_thnn_fused_lstm_cell")
def fused_lstm(
    input_gates: Shape,
    hidden_gates: Shape,
    cx: Shape,
    input_bias: Shape | None = None,
    hidden_bias: Shape | None = None,
    **_: Operand,
) -> Cost:
    """Takes the gates after the two products, and the biases.

    Other operators run the products, without the biases.
    """
    biases = (input_bias is not None) + (hidden_bias is not None)
    return FORWARD["lstm"](cx.numel) + Cost(arithmetic=biases * input_gates.numel)


@RULES.rule("aten::_thnn_fused_gru_cell")
def fused_gru(
    input_gates: Shape,
    hidden_gates: Shape,
    hx: Shape,
    input_bias: Shape | None = None,
    hidden_bias: Shape | None = None,
    **_: Operand,
) -> Cost:
    """Takes the gates and biases, as `fused_lstm` does."""
    biases = (input_bias is not None) + (hidden_bias is not None)
    return FORWARD["gru"](hx.numel) + Cost(arithmetic=biases * input_gates.numel)


@RULES.rule("aten::_thnn_fused_lstm_cell_backward", "aten::_thnn_fused_lstm_cell_backward_impl")
def fused_lstm_backward(
    grad_hy: Operand,
    grad_cy: Operand,
    cx: Shape,
    cy: Shape,
    workspace: Shape,
    has_bias: bool,
    **_: Operand,
) -> Cost:
    """Takes the gates' gradients, and with a bias their sum over the batch."""
    return BACKWARD["lstm"](cx.numel) + Cost(arithmetic=workspace.numel * bool(has_bias))


@RULES.rule("aten::_thnn_differentiable_lstm_cell_backward")
def differentiable_lstm_backward(
    grad_hy: Operand,
    grad_cy: Operand,
    input_gates: Shape,
    hidden_gates: Shape,
    *rest: Shape,
    **_: Operand,
) -> Cost:
    """Costs what `fused_lstm_backward` does, and forms the gates again."""
    input_bias, hidden_bias, cx, _cy = rest
    biases = (input_bias is not None) + (hidden_bias is not None)
    return (
        FORWARD["lstm"](cx.numel)
        + BACKWARD["lstm"](cx.numel)
        + Cost(arithmetic=(biases + bool(biases)) * input_gates.numel)
    )


@RULES.rule("aten::_thnn_fused_gru_cell_backward")
def fused_gru_backward(grad_hy: Shape, workspace: Shape, has_bias: bool, **_: Operand) -> Cost:
    """Takes the gates' gradients, and with biases sums over the batch.

    There are sums of three gates for each of two biases.
    """
    return BACKWARD["gru"](grad_hy.numel) + Cost(arithmetic=6 * grad_hy.numel * bool(has_bias))


@RULES.rule("aten::_thnn_differentiable_gru_cell_backward")
def differentiable_gru_backward(
    grad_hy: Shape, input_gates: Shape, hidden_gates: Shape, hx: Shape, input_bias: Shape | None,
    hidden_bias: Shape | None, **_: Operand,
) -> Cost:  # fmt: skip
    """Costs what `fused_gru_backward` does, and forms the gates again."""
    biases = (input_bias is not None) + (hidden_bias is not None)
    gates = FORWARD["gru"](hx.numel) + BACKWARD["gru"](hx.numel)
    return gates + Cost(arithmetic=(biases + 2 * bool(biases)) * input_gates.numel)

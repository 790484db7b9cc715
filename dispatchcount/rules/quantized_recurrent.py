"""Quantized recurrent networks.

Their weights are inside packed cells, so the sizes are taken from the input and the state.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, shapes
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.recurrent import layers
from dispatchcount.rules.recurrent_gates import GATES


def weights(kind: str, width: int, size: int, count: int, directions: int) -> list[Shape]:
    """The weights and biases of `count` layers, in one or two directions.

    Each matrix has gates · H rows. A layer after the first reads the states of all directions.
    """
    rows, found = GATES[kind] * size, []
    for layer in range(count):
        inputs = size * directions if layer else width
        found += [
            Shape((rows, inputs)),
            Shape((rows, size)),
            Shape((rows,)),
            Shape((rows,)),
        ] * directions
    return found


def network(
    kind: str, input: Shape, hx: Operand, count: int, bidirectional: bool, out: Operand
) -> Cost:
    """All layers and directions, with biases, over all steps of `input`, packed or not."""
    size = shapes(hx)[0][-1]
    steps = input.numel // input[-1] if input.numel else 0
    return layers(
        kind, steps, weights(kind, input[-1], size, count, 2 if bidirectional else 1), result(out)
    )


def _register_network(name: str, kind: str) -> None:
    """Register the operator of whole layers, and its two forms for packed sequences."""

    @RULES.rule(f"aten::{name}")
    def padded(
        input: Shape, hx: Operand, params: Operand, has_biases: bool, num_layers: int,
        dropout: Operand, train: bool, bidirectional: bool, *_: Operand, out: Operand,
        **__: Operand,
    ) -> Cost:  # fmt: skip
        return network(kind, input, hx, num_layers, bidirectional, out)

    for overload in ("data", "data_legacy"):

        @RULES.rule(f"aten::{name}.{overload}")
        def packed(
            data: Shape, batch_sizes: Operand, hx: Operand, params: Operand, has_biases: bool,
            num_layers: int, dropout: Operand, train: bool, bidirectional: bool, *_: Operand,
            out: Operand, **__: Operand,
        ) -> Cost:  # fmt: skip
            return network(kind, data, hx, num_layers, bidirectional, out)


def _register_cells(name: str, kind: str) -> None:
    """Register the operators of one step of one layer."""

    @RULES.rule(f"aten::quantized_{name}_cell", f"quantized::quantized_{name}_cell_dynamic")
    def cell(input: Shape, hx: Operand, *_: Operand, out: Operand) -> Cost:
        return network(kind, input, hx, 1, False, out)


_register_network("quantized_lstm", "lstm")
_register_network("quantized_gru", "gru")
for _name, _kind in {"lstm": "lstm", "gru": "gru", "rnn_tanh": "tanh", "rnn_relu": "relu"}.items():
    _register_cells(_name, _kind)

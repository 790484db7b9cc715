"""Quantized recurrent networks. Their weights are inside packed cells; the sizes follow from the input and the state."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, shapes
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.recurrent import layers
from dispatchcount.rules.recurrent_gates import GATES


def weights(kind: str, width: int, size: int, count: int, directions: int) -> list[Shape]:
    """The weights and biases of `count` layers in `directions`: gates · H rows; a later layer reads all directions' states."""
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


def network(kind: str, input: Shape, hx: Any, count: int, bidirectional: bool, out: Any) -> Cost:
    """All layers and directions over all steps of `input`, packed or not, with biases."""
    size = shapes(hx)[0][-1]
    steps = input.numel // input[-1] if input.numel else 0
    return layers(
        kind, steps, weights(kind, input[-1], size, count, 2 if bidirectional else 1), result(out)
    )


def _register_network(name: str, kind: str) -> None:
    @RULES.rule(f"aten::{name}")
    def padded(
        input: Shape, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool, bidirectional: bool,
        *_: Any, out: Any, **__: Any,
    ) -> Cost:  # fmt: skip
        return network(kind, input, hx, num_layers, bidirectional, out)

    for overload in ("data", "data_legacy"):

        @RULES.rule(f"aten::{name}.{overload}")
        def packed(
            data: Shape, batch_sizes: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool,
            bidirectional: bool, *_: Any, out: Any, **__: Any,
        ) -> Cost:  # fmt: skip
            return network(kind, data, hx, num_layers, bidirectional, out)


def _register_cells(name: str, kind: str) -> None:
    @RULES.rule(f"aten::quantized_{name}_cell", f"quantized::quantized_{name}_cell_dynamic")
    def cell(input: Shape, hx: Any, *_: Any, out: Any) -> Cost:
        return network(kind, input, hx, 1, False, out)


_register_network("quantized_lstm", "lstm")
_register_network("quantized_gru", "gru")
for _name, _kind in {"lstm": "lstm", "gru": "gru", "rnn_tanh": "tanh", "rnn_relu": "relu"}.items():
    _register_cells(_name, _kind)

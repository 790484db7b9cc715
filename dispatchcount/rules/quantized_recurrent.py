"""Quantized recurrent networks.

Their weights are inside packed cells, which cannot always be read, so the sizes are taken from the
input and the state.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core import widths
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


def factors(input: Shape, layers: Sequence[Operand]) -> widths.Pair:
    """The factors of layers that arrive as (weight, bias), or as None if they cannot be read.

    Weights of 8 bits meet an input that is rounded to 8 bits. The only other kind has 16 bits and
    meets the input as it is; it is unpacked as float32.
    """
    weights = [layer[0] for layer in layers if isinstance(layer, list | tuple) and layer]
    found = {widths.bits_of(weight) for weight in weights}
    own = widths.bits(input.dtype)
    if len(weights) < len(layers) or own is None:
        return None
    return (8, 8) if found == {8} else (own, 16) if found <= {16, 32} else None


def of_network(
    input: Shape, hx: Operand, params: Operand, *_: Operand, **__: Operand
) -> widths.Pair:
    """The factors of a whole network, of whose packed cells each has two layers."""
    cells = params if isinstance(params, list | tuple) else [None]
    return factors(input, [layer for cell in cells for layer in _layers(cell)])


def of_packed_sequence(
    data: Shape, batch_sizes: Operand, hx: Operand, params: Operand, *_: Operand, **__: Operand
) -> widths.Pair:
    """The same for a packed sequence."""
    return of_network(data, hx, params)


def _layers(cell: Operand) -> Sequence[Operand]:
    return cell if isinstance(cell, list | tuple) and cell else [None]


def _register_network(name: str, kind: str) -> None:
    """Register the operator of whole layers, and its two forms for packed sequences."""

    @RULES.rule(f"aten::{name}", widths=of_network)
    def padded(
        input: Shape, hx: Operand, params: Operand, has_biases: bool, num_layers: int,
        dropout: Operand, train: bool, bidirectional: bool, *_: Operand, out: Operand,
        **__: Operand,
    ) -> Cost:  # fmt: skip
        return network(kind, input, hx, num_layers, bidirectional, out)

    for overload in ("data", "data_legacy"):

        @RULES.rule(f"aten::{name}.{overload}", widths=of_packed_sequence)
        def packed(
            data: Shape, batch_sizes: Operand, hx: Operand, params: Operand, has_biases: bool,
            num_layers: int, dropout: Operand, train: bool, bidirectional: bool, *_: Operand,
            out: Operand, **__: Operand,
        ) -> Cost:  # fmt: skip
            return network(kind, data, hx, num_layers, bidirectional, out)


def of_cell(
    input: Shape, hx: Operand, w_ih: Operand, w_hh: Operand, *_: Operand, **__: Operand
) -> widths.Pair:
    """The factors of one step, of two packed layers."""
    return factors(input, [w_ih, w_hh])


def _register_cells(name: str, kind: str) -> None:
    """Register the operators of one step of one layer."""

    @RULES.rule(f"quantized::quantized_{name}_cell_dynamic", widths=of_cell)
    @RULES.rule(f"aten::quantized_{name}_cell", widths=widths.fixed(8, 8))
    def cell(input: Shape, hx: Operand, *_: Operand, out: Operand) -> Cost:
        return network(kind, input, hx, 1, False, out)


_register_network("quantized_lstm", "lstm")
_register_network("quantized_gru", "gru")
for _name, _kind in {"lstm": "lstm", "gru": "gru", "rnn_tanh": "tanh", "rnn_relu": "relu"}.items():
    _register_cells(_name, _kind)

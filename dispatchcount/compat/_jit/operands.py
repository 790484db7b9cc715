"""Which traced operator a torch function stands for, and its operands in the order TorchScript has them."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from dispatchcount.capture.key import tensors_in
from dispatchcount.compat._jit.schemas import bind
from dispatchcount.compat._jit.values import Value, results

CONVOLUTION = "aten::_convolution"
LINEAR = "aten::linear"

_CONVOLUTIONS = {f"{name}{n}d": name.endswith("transpose") for name in ("conv", "conv_transpose") for n in (1, 2, 3)}
_CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
_NO_OPERATORS = ("grad", "backward", "data", "requires_grad_")  # TorchScript has operators of these names for other things
_OPERATORS = {  # kernels that show up where no torch function runs (scripted code), under the names of what they implement
    "aten::convolution": CONVOLUTION,
    "aten::convolution_overrideable": CONVOLUTION,
    "aten::native_batch_norm": "aten::batch_norm",
    "aten::cudnn_batch_norm": "aten::batch_norm",
    "aten::miopen_batch_norm": "aten::batch_norm",
    "aten::_native_batch_norm_legit": "aten::batch_norm",
    "aten::_native_batch_norm_legit_no_training": "aten::batch_norm",
    "aten::_batch_norm_with_update": "aten::batch_norm",
    "aten::_batch_norm_no_update": "aten::batch_norm",
    "aten::native_layer_norm": "aten::layer_norm",
    "aten::native_group_norm": "aten::group_norm",
    "aten::_adaptive_avg_pool2d": "aten::adaptive_avg_pool2d",
    "aten::grid_sampler_2d": "aten::grid_sampler",
    "aten::grid_sampler_3d": "aten::grid_sampler",
}

Operands = tuple[str, tuple[Value, ...], tuple[Value, ...]]
"""An operator's kind, its inputs and its outputs."""


@cache
def kind_of(function: str) -> str | None:
    """The operator that a torch function stands for, ``"aten::linear"``; None where it is no operator (`size`, `__getitem__`)."""
    if function in _CONVOLUTIONS or function == "convolution":
        return CONVOLUTION
    if function in _CELLS:
        return LINEAR
    if function == "batch_norm_elemt":  # the part of a synchronised batch norm that carries the figure of the whole
        return "aten::batch_norm"
    if "." in function:
        return function.replace(".", "::", 1)
    known = function not in _NO_OPERATORS and function.isidentifier() and hasattr(torch.ops.aten, function)
    return f"aten::{function}" if known else None


def kind_of_operator(op: str) -> str:
    """The operator that a kernel stands for: ``"aten.convolution"`` is ``"aten::_convolution"``."""
    kind = op.replace(".", "::", 1)
    return _OPERATORS.get(kind, kind)


def operands(function: str, args: Any, kwargs: Any, out: Any) -> list[Operands]:
    """The operators that TorchScript would have traced for a call of a torch function, usually one; none if it made no tensor."""
    kind = kind_of(function)
    if kind is None or next(tensors_in(out), None) is None:
        return []
    if function in _CELLS:
        return _cell(function, args, kwargs)
    named = bind(function.replace(".", "::", 1) if "." in function else f"aten::{function}", args, kwargs)
    if function in _CONVOLUTIONS:
        return [_convolution(named, _CONVOLUTIONS[function], out)]
    return [(kind, tuple(map(Value.of, named.values())), results(out))]


def _convolution(named: dict[str, Any], transposed: bool, out: Any) -> Operands:
    values = {name: Value.of(value) for name, value in named.items()}
    order = ("input", "weight", "bias", "stride", "padding", "dilation")
    inputs = [values.get(name, Value.of(None)) for name in order]
    rest = (transposed, named.get("output_padding", [0]), named.get("groups", 1), False, False, True, True)
    result = Value.of(out)
    if result.sizes is not None and inputs[1].sizes is not None and len(result.sizes) < len(inputs[1].sizes):
        inputs[0], result = inputs[0].unsqueezed(), result.unsqueezed()
    return CONVOLUTION, (*inputs, *map(Value.of, rest)), (result,)


def _cell(function: str, args: Any, kwargs: Any) -> list[Operands]:
    """A recurrent cell is traced as its two linear maps: of the input and of the hidden state."""
    named = bind(f"aten::{function}", args, kwargs)
    hidden = named["hx"][0] if isinstance(named["hx"], list | tuple) else named["hx"]
    pairs = ((named["input"], named["w_ih"], named["b_ih"]), (hidden, named["w_hh"], named["b_hh"]))
    return [
        (LINEAR, tuple(map(Value.of, pair)), (Value("TensorType", (*pair[0].shape[:-1], pair[1].shape[0])),)) for pair in pairs
    ]

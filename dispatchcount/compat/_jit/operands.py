"""The operators that TorchScript would have traced for a call, with their operands in order."""

from __future__ import annotations

from typing import Any

import torch

from dispatchcount.capture.tensors import tensors_in
from dispatchcount.compat._jit.kinds import (
    CASTS,
    CELLS,
    CONVOLUTION,
    CONVOLUTIONS,
    COUNTS,
    CREATORS,
    LINEAR,
    SIZE,
    TO,
    kernel_kind,
    traced_kind,
)
from dispatchcount.compat._jit.schemas import bind
from dispatchcount.compat._jit.values import Value, results

Operands = tuple[str, tuple[Value, ...], tuple[Value, ...]]
"""An operator's kind, its inputs and its outputs."""


def operands(function: str, args: Any, kwargs: Any, out: Any) -> list[Operands]:
    """The operators that a call of a torch function is traced as, usually one.

    A function that made no tensor is traced as none, except those in `COUNTS`.
    """
    kind = traced_kind(function)
    if kind is None:
        return []
    if function in COUNTS:
        return _counts(kind, args, kwargs, out)
    if next(tensors_in(out), None) is None:
        return []
    if function in CELLS:
        return _cell(function, args, kwargs)
    if function in CREATORS:
        return _made(function, Value.of(out))
    if kind == TO and function != "to":
        args, kwargs = _as_to(function, args, kwargs, out)
        function = "to"
    named = bind(
        function.replace(".", "::", 1) if "." in function else _schema(function, kind), args, kwargs
    )
    if function in CONVOLUTIONS:
        return [_convolution(named, CONVOLUTIONS[function], out)]
    values = list(map(Value.of, named.values()))
    if function == "rsub" and isinstance(named.get("other"), torch.Tensor):
        # Traced as `sub`, the other way round.
        kind, values[:2] = "aten::sub", values[1::-1]
    elif function == "nonzero" and isinstance(out, tuple):
        kind = "aten::nonzero_numpy"
    elif function == "conj" and not out.is_complex():  # hands the tensor back
        return []
    return [(kind, tuple(values), results(out))]


def kernel_operands(op: str, args: Any, kwargs: Any, out: Any) -> Operands | None:
    """A kernel, ``"aten.select"``, as it would be traced; None if it made no tensor."""
    if next(tensors_in(out), None) is None:
        return None
    named = bind(op.replace(".", "::", 1), args, kwargs)
    return kernel_kind(op), tuple(map(Value.of, named.values())), results(out)


def _schema(function: str, kind: str) -> str:
    """The operator whose schema has the arguments: the function's own, or `kind` if it has none."""
    own = f"aten::{function}"
    return own if function.isidentifier() and torch._C._jit_get_schemas_for_operator(own) else kind


def _as_to(function: str, args: Any, kwargs: Any, out: Any) -> tuple[Any, Any]:
    """The arguments of the `to` that a cast or a move is traced as."""
    if function in CASTS:
        return (args[0], CASTS[function]), {}
    return ((args[0], out.dtype) if function == "type" else (args[0], out.device, out.dtype)), {}


def _made(function: str, out: Value) -> list[Operands]:
    """A tensor made of Python's data is traced as moved, and as detached unless taken as it is."""
    rest = (out.type().dtype(), False, False, None)
    traced: list[Operands] = [
        (TO, (out, *map(Value.of, rest)), (out,)),
        ("aten::detach", (out,), (out,)),
    ]
    return traced[:1] if function == "as_tensor" else traced


def _counts(kind: str, args: Any, kwargs: Any, out: Any) -> list[Operands]:
    """Sizes are traced one by one, the number of elements at once."""
    tensor = Value.of(args[0])
    if kind != SIZE:
        return [(kind, (tensor,), (Value.of(out),))]
    given = args[1] if len(args) > 1 else kwargs.get("dim")
    sizes = enumerate(out) if given is None else ((given, out),)
    return [(SIZE, (tensor, Value.of(dim)), (Value.of(size),)) for dim, size in sizes]


def _convolution(named: dict[str, Any], transposed: bool, out: Any) -> Operands:
    values = {name: Value.of(value) for name, value in named.items()}
    order = ("input", "weight", "bias", "stride", "padding", "dilation")
    inputs = [values.get(name, Value.of(None)) for name in order]
    rest = (
        transposed,
        named.get("output_padding", [0]),
        named.get("groups", 1),
        False,
        False,
        True,
        True,
    )
    result = Value.of(out)
    if (
        result.sizes is not None
        and inputs[1].sizes is not None
        and len(result.sizes) < len(inputs[1].sizes)
    ):
        inputs[0], result = inputs[0].unsqueezed(), result.unsqueezed()
    return CONVOLUTION, (*inputs, *map(Value.of, rest)), (result,)


def _cell(function: str, args: Any, kwargs: Any) -> list[Operands]:
    """A recurrent cell is traced as its two linear maps, of the input and of the hidden state."""
    named = bind(f"aten::{function}", args, kwargs)
    hidden = named["hx"][0] if isinstance(named["hx"], list | tuple) else named["hx"]
    pairs = ((named["input"], named["w_ih"], named["b_ih"]), (hidden, named["w_hh"], named["b_hh"]))
    return [
        (
            LINEAR,
            tuple(map(Value.of, pair)),
            (Value("TensorType", (*pair[0].shape[:-1], pair[1].shape[0])),),
        )
        for pair in pairs
    ]

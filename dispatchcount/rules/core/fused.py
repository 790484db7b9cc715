"""The parts of a fused kernel, costed by the rules of the operators that they stand for.

A fused kernel and the same steps one by one therefore always cost the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape


def part(name: str, *args: Operand, out: Operand, **kwargs: Any) -> Cost:
    """What the operator `name` costs as a step inside a kernel.

    The cost has no activations and no bytes, because the intermediate result is neither stored nor
    handed on.

    Args:
        name: the operator's name, ``"aten::layer_norm"``.
        args: what its rule would be called with.
        out: the shapes of its result, for rules that ask for them.
        kwargs: keyword arguments of the rule.

    Raises:
        LookupError: `name` has no rule.
    """
    entry = RULES.get(name)
    if entry is None or entry.rule is None:
        raise LookupError(
            f"{name} is a part of a fused kernel, but has no rule; register one for it"
        )
    if entry.takes_out:
        kwargs["out"] = out
    cost = entry.rule(*args, **kwargs)
    if isinstance(cost, int):
        cost = Cost(macs=cost)
    return replace(cost, activations=0, bytes_read=None, bytes_written=None)


def function_cost(name: str, elements: int, **kwargs: Any) -> Cost:
    """What the element-wise function `name` (``"tanh"``) costs over so many elements."""
    shape = Shape((elements,))
    return part(f"aten::{name}", shape, out=shape, **kwargs)


_SPELLING = {"swish": "silu"}
"""oneDNN's names of functions: torch's."""

_NOTHING = ("", "none", "sum", "quantize", "dequantize", None)
"""What kernels call an epilogue that does nothing, or that is counted as no arithmetic."""


def epilogue(name: str | None, out: Shape, algorithm: str | None = None) -> Cost:
    """The activation function that oneDNN and quantized kernels apply before they store a result.

    Args:
        name: what the kernel calls the function, ``"relu"``; None if there is none.
        out: the result.
        algorithm: GELU's approximation, ``"tanh"``.
    """
    if name in _NOTHING:
        return Cost()
    assert name is not None
    name = _SPELLING.get(name, name)
    if name == "gelu":
        return function_cost(name, out.numel, approximate=algorithm or "none")
    return function_cost(name, out.numel)

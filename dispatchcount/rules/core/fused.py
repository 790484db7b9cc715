"""The parts of a fused kernel, costed by the rules of the operators they stand for, so that fused and unfused forms agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape


def part(name: str, *args: Any, out: Any, **kwargs: Any) -> Cost:
    """What the operator `name` would cost as a step inside a kernel: its intermediate result is neither stored nor handed on.

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
    """The element-wise function `name` (``"tanh"``) over so many elements."""
    shape = Shape((elements,))
    return part(f"aten::{name}", shape, out=shape, **kwargs)


_SPELLING = {"swish": "silu"}

_NOTHING = ("", "none", "sum", "quantize", "dequantize", None)


def epilogue(name: str | None, out: Shape, algorithm: str | None = None) -> Cost:
    """The activation that oneDNN and quantized kernels apply to a result before it is stored, by the name they give it."""
    if name in _NOTHING:
        return Cost()
    assert name is not None
    name = _SPELLING.get(name, name)
    if name == "gelu":
        return function_cost(name, out.numel, approximate=algorithm or "none")
    return function_cost(name, out.numel)

"""The parts of a fused kernel, costed by the rules of the operators they stand for, so that fused and unfused forms agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dispatchcount.rules.cost import Cost, Shape, shapes
from dispatchcount.rules.registry import RULES


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


def elementwise(name: str, elements: int, **kwargs: Any) -> Cost:
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
        return elementwise(name, out.numel, approximate=algorithm or "none")
    return elementwise(name, out.numel)


def result(out: Any) -> Shape:
    """The first tensor of what an operator returned.

    Raises:
        ValueError: it returned none, so its cost cannot be told.
    """
    found = shapes(out)
    if not found:
        raise ValueError("the operator returned no tensor, so the size of its result is not known")
    return found[0]

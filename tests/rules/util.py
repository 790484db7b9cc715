"""What the tests of the rules share.

They need the calls that a bare dispatch mode sees, and what the registry says they cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import dispatchcount.rules.library  # noqa: F401  (fills RULES)
from dispatchcount.capture.key import contents, describe
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.values import VALUES


class Call(NamedTuple):
    """One operator call as a rule sees it."""

    packet: str
    overload: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any


class Watch(TorchDispatchMode):
    """Keeps every call, as shapes; a composite operator without an entry runs as its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet, _, overload = func.name().partition(".")
        read = VALUES.get(packet, ())
        names = [a.name for a in func._schema.arguments]
        seen = tuple(
            contents(a) if name in read else describe(a)
            for name, a in zip(names, args, strict=False)
        )
        named = {
            k: contents(v) if k in read else describe(v) for k, v in kwargs.items() if k != "out"
        }
        if RULES.get(packet, overload) is None and func._can_decompose():
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        self.calls.append(Call(packet, overload, seen, named, describe(result)))
        return result


def watch(run: Callable[..., Any], *args: Any) -> list[Call]:
    """The calls that `run` makes."""
    with Watch() as seen:
        run(*args)
    return seen.calls


def cost(call: Call) -> Cost:
    """What the registry says."""
    return ask(
        f"{call.packet}.{call.overload}" if call.overload else call.packet,
        *call.args,
        out=call.out,
        **call.kwargs,
    )


def ask(name: str, *args: Any, out: Any = (), **kwargs: Any) -> Cost:
    """The cost of operator `name` (overload after a dot) with these shapes."""
    packet, _, overload = name.partition(".")
    entry = RULES.get(packet, overload)
    assert entry is not None, f"{name} has no entry"
    if entry.rule is None:
        return Cost()
    if entry.takes_out:
        kwargs["out"] = out
    found = entry.rule(*args, **kwargs)
    return Cost(macs=found) if isinstance(found, int) else found


def total(run: Callable[..., Any], *args: Any) -> Cost:
    """The sum over the calls that `run` makes, without bytes, which views and copies set
    themselves.
    """
    return replace(
        sum((cost(c) for c in watch(run, *args)), Cost()), bytes_read=None, bytes_written=None
    )


def only(run: Callable[..., Any], *args: Any, name: str) -> Cost:
    """The sum over the calls of one operator, of which there must be some."""
    found = [cost(c) for c in watch(run, *args) if c.packet == name]
    assert found, f"{name} was not called"
    return sum(found, Cost())


def names(calls: Iterable[Call]) -> set[str]:
    return {c.packet for c in calls}


def whole(run: Callable[..., Any], *args: Any) -> Cost:
    """As `total`, in inference mode, where composite operators arrive undecomposed."""
    with torch.inference_mode():
        return total(run, *args)


def loops(*ranges: int) -> int:
    """How often the body of these nested loops runs."""
    return sum(1 for _ in product(*map(range, ranges)))


def S(*sizes: int, dtype: str = "float32", **kwargs: Any) -> Shape:  # noqa: N802
    return Shape(sizes, dtype, **kwargs)

"""Names of operators: how tables write them, which rules they answer to, and if torch has them.

A name is torch's qualified packet name, ``aten::addmm``, or that of one overload,
``aten::add.out``.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

_AT_LAUNCH = "triton::"
"""Names that nobody can check: torch learns of a triton kernel when it is launched."""

_HIGHER = "higher_order::"

_PRIM = ("prim::device", "prim::layout")
"""TorchScript's operators that a mode sees, because tensor subclasses ask for them.

The dispatcher does not list them.
"""


def words(text: str) -> list[str]:
    """The names in a block of text, separated by white space."""
    return text.split()


def aten(text: str) -> list[str]:
    """The same, in torch's own namespace: ``["aten::abs", "aten::acos"]``."""
    return [f"aten::{name}" for name in words(text)]


def candidates(packet: str, overload: str = "") -> Iterator[str]:
    """The names whose rule serves an overload, the most specific first.

    >>> list(candidates("aten::add_", "Tensor"))
    ['aten::add_.Tensor', 'aten::add_', 'aten::add.Tensor', 'aten::add']
    """
    if overload:
        yield f"{packet}.{overload}"
    yield packet
    if packet.endswith("_") and not packet.endswith("__"):
        if overload:
            yield f"{packet[:-1]}.{overload}"
        yield packet[:-1]


def target_name(target: Any) -> str:
    """The name of an operator in the registry.

    Args:
        target: a packet, an overload, a higher-order operator, a triton kernel, or a name.

    Raises:
        TypeError: `target` is none of these.
        ValueError: it is a name that torch does not know.
    """
    if isinstance(target, str):
        name = target.replace(".", "::", 1) if "::" not in target else target
        check_exists(name)
        return name
    kind = {base.__name__ for base in type(target).__mro__}
    if "OpOverloadPacket" in kind:
        return str(target._qualified_op_name)
    if "OpOverload" in kind:
        name, overload = target._schema.name, target._overloadname
        return f"{name}.{overload}" if overload != "default" else str(name)
    if "HigherOrderOperator" in kind:
        return f"higher_order::{target.name()}"
    if "CustomOpDef" in kind:
        return str(target._qualname)
    if kind & {"JITFunction", "Autotuner", "Heuristics", "KernelInterface"}:
        while not hasattr(target, "__name__"):
            target = target.fn
        return f"triton::{target.__name__}"
    raise TypeError(
        "a rule's target is an operator (torch.ops.mylib.attn), one overload of it, a higher-order "
        f"operator, a triton kernel or a name like 'mylib::attn'; got {target!r}"
    )


def check_exists(name: str) -> None:
    """Do nothing if torch has the operator, or its in-place form, whose rule is the same.

    So a rule with a misspelt name is refused, instead of being entered and never asked for.

    Args:
        name: ``"mylib::attn"``, or one overload of it, ``"mylib::attn.out"``.

    Raises:
        ValueError: torch does not have it now; the message names operators that are spelt alike.
    """
    if name.startswith(_AT_LAUNCH) and name != _AT_LAUNCH:
        return
    packet, dot, overload = name.partition(".")
    known = _overloads()
    there = known.get(packet, set()) | known.get(f"{packet}_", set())
    if not there:
        near = get_close_matches(
            (packet if "::" in packet else f"aten::{packet}").lower(), known, cutoff=0.7
        )
        raise ValueError(
            f"torch has no operator {name!r}"
            + (f"; did you mean {', '.join(near)}?" if near else ".")
            + " If a library defines it, import that library before its rule is registered."
        )
    if dot and overload not in there:
        raise ValueError(
            f"{packet} has no overload {overload!r}; there are {', '.join(sorted(there))}"
        )


def _overloads() -> dict[str, set[str]]:
    """Every operator that torch has now: the names of its overloads."""
    import torch  # here, because the rules themselves need no torch

    found: dict[str, set[str]] = {
        _HIGHER + name: {"default"} for name in torch._ops._higher_order_ops
    }
    for name in (*torch._C._dispatch_get_all_op_names(), *_PRIM):
        packet, _, overload = name.partition(".")
        found.setdefault(packet, set()).add(overload or "default")
    return found

"""Whether an operator that someone names is there, so that a rule with a misspelt name is not entered and never asked for."""

from __future__ import annotations

from difflib import get_close_matches

_AT_LAUNCH = "triton::"
"""Names that nobody can check: a triton kernel is known to torch when it is launched."""

_HIGHER = "higher_order::"

_PRIM = ("prim::device", "prim::layout")
"""TorchScript's operators that a mode sees, for tensor subclasses ask them; the dispatcher does not list them."""


def check_exists(name: str) -> None:
    """Do nothing if torch has the operator, or its in-place form, whose rule is the same.

    Args:
        name: ``"mylib::attn"``, or one overload of it, ``"mylib::attn.out"``.

    Raises:
        ValueError: torch does not have it now; the message names what comes close.
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
            + " If a library defines "
            "it, import that library before its rule is registered."
        )
    if dot and overload not in there:
        raise ValueError(
            f"{packet} has no overload {overload!r}; there are {', '.join(sorted(there))}"
        )


def _overloads() -> dict[str, set[str]]:
    """Every operator that torch has now, with its overloads."""
    import torch  # here, for the rules themselves do without

    found: dict[str, set[str]] = {
        _HIGHER + name: {"default"} for name in torch._ops._higher_order_ops
    }
    for name in (*torch._C._dispatch_get_all_op_names(), *_PRIM):
        packet, _, overload = name.partition(".")
        found.setdefault(packet, set()).add(overload or "default")
    return found

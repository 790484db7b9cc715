"""The class that an operator is in: every operator of torch is in exactly one."""

from __future__ import annotations

from dataclasses import dataclass

from dispatchcount.rules.core.registry import RULES, OpKind, Registry

ATOMIC = frozenset({"aten::linalg_eigvals", "aten::linalg_eigvalsh", "aten::linalg_svdvals"})
"""Composite operators that are counted whole; each has a rule of its own.

Torch runs another kernel for them when it can see a dispatch mode: their C++ code asks if a tensor
subclass or mode is around (``isTensorSubclassLike``). Running them as their parts would therefore
change the user's result.
"""


@dataclass(frozen=True, slots=True)
class Classified:
    """The class of an operator, and where it comes from.

    Attributes:
        kind: its class; None if it is in none, and would be reported as unknown without a reason.
        family: the module under ``rules/`` that it comes from, ``"pointwise"``; "" for a composite
            and for one in no class.
        reason: why an operator is composite or unknown.
    """

    kind: OpKind | None
    family: str = ""
    reason: str = ""


def classify(
    packet: str, overload: str = "", *, composite: bool, registry: Registry = RULES
) -> Classified:
    """The class of one overload.

    Args:
        packet: torch's qualified name, ``"aten::addmm"``.
        overload: ``"out"``; "" for the default one.
        composite: True if torch runs it as other operators on every device, as
            `dispatchcount.capture.plan.runs_as_parts` finds out.
        registry: where entries are looked up.
    """
    entry = registry.get(packet, overload)
    if composite and packet not in ATOMIC and (entry is None or entry.kind is not OpKind.FREE):
        return Classified(
            OpKind.COMPOSITE, reason="torch runs it as other operators, which are counted"
        )
    if entry is None:
        return Classified(None)
    return Classified(entry.kind, entry.family, entry.reason)

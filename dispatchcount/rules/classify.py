"""The class that every operator is in, exactly one: a rule, movement, free, composite, or knowingly unknown with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from dispatchcount.rules.atomic import ATOMIC
from dispatchcount.rules.registry import RULES, Kind, Registry


@dataclass(frozen=True, slots=True)
class Classified:
    """Where an operator stands.

    Attributes:
        kind: its class; None if it is in none, and so would be reported as unknown without a reason.
        family: the rule module it comes from, ``"pointwise"``; "" for a composite and for one in no class.
        reason: for composite and unknown, why.
    """

    kind: Kind | None
    family: str = ""
    reason: str = ""


def classify(
    packet: str, overload: str = "", *, composite: bool, registry: Registry = RULES
) -> Classified:
    """The class of one overload.

    Args:
        packet: torch's qualified name, ``"aten::addmm"``.
        overload: ``"out"``; "" for the default one.
        composite: whether torch runs it as other operators on every device; see `dispatchcount.capture.plan.runs_as_parts`.
        registry: where entries are looked up.
    """
    entry = registry.get(packet, overload)
    if composite and packet not in ATOMIC and (entry is None or entry.kind is not Kind.FREE):
        return Classified(
            Kind.COMPOSITE, reason="torch runs it as other operators, which are counted"
        )
    if entry is None:
        return Classified(None)
    return Classified(entry.kind, entry.family, entry.reason)

"""Whose data a collective moves, and if they are the model's at all."""

from __future__ import annotations

from typing import Any, NamedTuple

from dispatchcount.capture.modules import Info
from dispatchcount.capture.plan import Plan
from dispatchcount.rules.core.traffic import BARRIER, pattern_of


class Claim(NamedTuple):
    """What is known of a collective besides who runs.

    Attributes:
        owner: the module whose data it moves; None if that is the one that runs.
        control: True if it carries no data of the model's.
    """

    owner: Info | None = None
    control: bool = False


def claim(plan: Plan, args: Any, kwargs: Any) -> Claim:
    """What is known of a collective that runs now, called with these operands."""
    return Claim(control=pattern_of(plan.name) is BARRIER)

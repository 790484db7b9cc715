"""What steps on several meshes are compared by: the work that all ranks do in one together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from dispatchcount.distributed.planned import Plan

SAMPLE, MACS, STEP = WAYS = ("sample", "macs", "step")
"""By samples, by MACs of the forward, or by nothing: a step is one step."""

PMAC = 10**15
"""MACs of the forward for which times are told."""


def work(plan: Plan, by: str) -> int:
    """What a step does on all ranks, 0 if that is not known."""
    if by == SAMPLE:
        return plan.samples or 0
    return plan.forward_macs if by == MACS else 1


def chosen(plans: list[Plan], by: str | None) -> str:
    """What plans are compared by: `by`, or the first of the three ways that all of them allow.

    Raises:
        UsageError: it is none of the three, or a plan lacks what it asks for.
    """
    if by is None:
        return next(way for way in WAYS if all(work(plan, way) for plan in plans))
    if by not in WAYS:
        raise UsageError(f"by is {by!r}; it is one of {', '.join(WAYS)}")
    for plan in plans:
        if not work(plan, by):
            what = "was made without samples=" if by == SAMPLE else "has a forward without MACs"
            raise UsageError(f"by is {by!r}, and the plan of {plan.mesh} {what}")
    return by

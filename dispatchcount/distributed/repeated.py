"""`Plan.redundancy`: how many times over the ranks of a plan hold or do what there is once."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from dispatchcount.errors import UsageError, expect, kind_of
from dispatchcount.report.ranks import HELD, LOCAL_PARAMS, figures
from dispatchcount.report.redundancy import redundancy, with_distinct

if TYPE_CHECKING:
    from dispatchcount.distributed.planned import Plan

_STORED = (*HELD, LOCAL_PARAMS, "params", "nonzero_params")
"""Figures of what is held, which do not grow with the samples."""


def repeated(
    plan: Plan, logical: Plan | None, metric: str, distinct: Mapping[str, int]
) -> dict[str, float | None]:
    """See `Plan.redundancy`."""
    expect(distinct, Mapping, "distinct", "how many by name: distinct={'layers.0.experts': 4}")
    if logical is not None and not hasattr(logical, "mesh"):
        raise TypeError(
            f"logical is {kind_of(logical)}; give a plan of the model on one rank: "
            'plan(build, None, step, {"dp": 1})'
        )
    try:
        if logical is None:
            whole = with_distinct(figures(plan.report, "params"), distinct)
            return redundancy(_of_all(plan, LOCAL_PARAMS), whole)
        if distinct:
            raise UsageError("distinct goes without logical, in which every module has a name")
        times = Fraction(1) if metric in _STORED else _times(plan, logical)
        once = figures(logical.report, metric)
        return redundancy(
            _of_all(plan, metric), {name: float(times * value) for name, value in once.items()}
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _of_all(plan: Plan, metric: str) -> dict[str, int]:
    return {name: plan.mesh.ranks * value for name, value in figures(plan.report, metric).items()}


def _times(plan: Plan, logical: Plan) -> Fraction:
    """How often the work of the logical plan is done in a step of this one.

    Raises:
        UsageError: samples are missing, or the logical plan is no plan of one rank.
    """
    if logical.mesh.ranks != 1:
        raise UsageError(
            f"the logical plan is on {logical.mesh}; give one of the model on one rank, such as "
            '{"dp": 1}'
        )
    for one in (plan, logical):
        if one.samples is None:
            raise UsageError(
                f"the plan of {one.mesh} was made without samples=, so it is not known how much of "
                "the logical plan's work a step does; make both with them"
            )
    return Fraction(plan.samples or 0, logical.samples or 1)

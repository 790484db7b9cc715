"""`bubble`: how much of a step a rank of a pipeline waits, by schedule."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dispatchcount.distributed.schedules import SCHEDULES, schedule_name
from dispatchcount.errors import UsageError
from dispatchcount.report.brief import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Bubble(Brief):
    """How much of a step a rank of a pipeline waits.

    Attributes:
        schedule: its name.
        stages, microbatches, virtual: p, m and v.
        share: the part of the step, exact.
        formula: how it is worked out.
        source: where the formula stands or follows from.
    """

    schedule: str
    stages: int
    microbatches: int
    virtual: int
    share: Fraction
    formula: str
    source: str

    def __str__(self) -> str:
        sizes = f"p={self.stages}, m={self.microbatches}"
        sizes += f", v={self.virtual}" if self.virtual > 1 else ""
        return (
            f"{self.schedule}: {float(self.share):.1%} of a step is waiting with {sizes}: "
            f"{self.formula} ({self.source})"
        )

    def seconds(self, working: float) -> float:
        """The time of a step in which a rank works `working` seconds and waits the rest."""
        return working / float(1 - self.share)


def bubble(schedule: str, stages: int, microbatches: int, virtual: int | None = None) -> Bubble:
    """The share of a step that each rank of a pipeline waits.

        bubble("1f1b", stages=8, microbatches=32).share    # 7/39

    Args:
        schedule: one of `SCHEDULES`, or torch's name of it, ``"ZBVZeroBubble"``; in any case.
        stages: ranks that the model is cut among.
        microbatches: pieces that a rank's batch is cut into.
        virtual: stages that each rank has. By default as many as the schedule asks for: 2 for
            ``"zbv"`` and ``"dualpipev"``, else 1.

    Raises:
        UsageError: the schedule is not known or needs another number of micro-batches or stages, or
            a number is no integer from 1 up.
    """
    name = schedule_name(schedule) if isinstance(schedule, str) else None
    if name is None:
        raise UsageError(
            f"no schedule is called {schedule!r}; those known are {', '.join(SCHEDULES)}"
        )
    known = SCHEDULES[name]
    if virtual is None:
        virtual = known.stages or 1
    numbers = {"stages": stages, "microbatches": microbatches, "virtual": virtual}
    for which, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise UsageError(f"{which} is {number!r}; give an integer from 1 up")
    if known.stages and virtual != known.stages:
        several = [other for other, one in SCHEDULES.items() if not one.stages]
        raise UsageError(
            f"{name} has {known.stages} stage{'s' * (known.stages > 1)} on each rank, got virtual="
            f"{virtual}; other numbers are for {', '.join(several)}"
        )
    lacking = known.lacks(stages, microbatches, virtual)
    if lacking:
        raise UsageError(
            f"{name} of {stages} ranks with {virtual} stage{'s' * (virtual > 1)} each needs "
            f"{lacking}; got {microbatches}"
        )
    return Bubble(
        name,
        stages,
        microbatches,
        virtual,
        known.share(stages, microbatches, virtual),
        known.formula + _EQUAL * (known.parts > 1),
        known.source,
    )


_EQUAL = (
    ", for a forward, a backward to the inputs and a backward to the weights that take the same "
    "time"
)

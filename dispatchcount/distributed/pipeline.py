"""Pipelines: how much of a step each stage waits, by schedule, from the number of micro-batches.

The formulas hold for stages that all take the same time and for messages that take none. p is the
number of stages (ranks), m the number of micro-batches, v the number of stages that each rank has.
A step of one rank is its work and the time that it waits, and the share is that of waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from dispatchcount.errors import UsageError
from dispatchcount.report.brief import Brief


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of a pipeline.

    Attributes:
        formula: the share of waiting, in p, m and v.
        source: where it stands.
        share: the same, worked out.
    """

    formula: str
    source: str
    share: Callable[[int, int, int], Fraction]


_GPIPE = "Huang et al. 2019, GPipe, arXiv:1811.06965, section 2.3"
_MEGATRON = "Narayanan et al. 2021, Megatron-LM, arXiv:2104.04473, section 2.2"
_ZERO = "Qi et al. 2023, Zero Bubble Pipeline Parallelism, arXiv:2401.10241, table 2"

SCHEDULES = {
    "gpipe": Schedule("(p - 1) / (m + p - 1)", _GPIPE, lambda p, m, v: Fraction(p - 1, m + p - 1)),
    "1f1b": Schedule(
        "(p - 1) / (m + p - 1)", _MEGATRON, lambda p, m, v: Fraction(p - 1, m + p - 1)
    ),
    "interleaved": Schedule(
        "(p - 1) / (v * m + p - 1)", _MEGATRON, lambda p, m, v: Fraction(p - 1, v * m + p - 1)
    ),
    "zb-h1": Schedule(
        "(p - 1) / (3 * m + p - 1), for a forward, a backward to the inputs and a backward to the "
        "weights that take the same time",
        _ZERO,
        lambda p, m, v: Fraction(p - 1, 3 * m + p - 1),
    ),
    "zb-h2": Schedule(
        "0, for a forward, a backward to the inputs and a backward to the weights that take the "
        "same time, and m of at least 2 * p - 1",
        _ZERO,
        lambda p, m, v: Fraction(0),
    ),
}
"""The schedules by name. 1F1B waits as long as GPipe, and keeps the activations of p micro-batches
instead of m."""


@dataclass(frozen=True, slots=True, repr=False)
class Bubble(Brief):
    """How much of a step a rank of a pipeline waits.

    Attributes:
        schedule: its name.
        stages, microbatches, virtual: p, m and v.
        share: the part of the step, exact.
        formula: how it is worked out.
        source: where the formula stands.
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


def bubble(schedule: str, stages: int, microbatches: int, virtual: int = 1) -> Bubble:
    """The share of a step that each rank of a pipeline waits.

        bubble("1f1b", stages=8, microbatches=32).share    # 7/39

    Args:
        schedule: one of `SCHEDULES`, in any case.
        stages: ranks that the model is cut among.
        microbatches: pieces that a rank's batch is cut into.
        virtual: stages that each rank has, for ``"interleaved"``.

    Raises:
        UsageError: the schedule is not known or needs another number of micro-batches or stages, or
            a number is no integer from 1 up.
    """
    known = SCHEDULES.get(schedule.lower())
    if known is None:
        raise UsageError(
            f"no schedule is called {schedule!r}; those known are {', '.join(SCHEDULES)}"
        )
    numbers = {"stages": stages, "microbatches": microbatches, "virtual": virtual}
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise UsageError(f"{name} is {number!r}; give an integer from 1 up")
    name = schedule.lower()
    if virtual > 1 and name != "interleaved":
        raise UsageError(f"{name} has one stage for each rank; virtual is for interleaved")
    if name == "interleaved" and microbatches % stages:
        raise UsageError(
            f"interleaved needs a number of micro-batches that {stages} stages divide, got "
            f"{microbatches}"
        )
    if name == "zb-h2" and microbatches < 2 * stages - 1:
        raise UsageError(
            f"zb-h2 of {stages} stages needs at least {2 * stages - 1} micro-batches, got "
            f"{microbatches}"
        )
    share = known.share(stages, microbatches, virtual)
    return Bubble(name, stages, microbatches, virtual, share, known.formula, known.source)

"""Schedules of pipelines: what share of a step a rank waits under each, and where that stands.

The formulas hold for stages that all take the same time and for messages that take none. p is the
number of ranks, m the number of micro-batches, v the number of stages that each rank has. A step
lasts from the start of the first rank to the end of the last, as it does where ranks wait for each
other before they update parameters. The share is that of a rank's waiting in it.

Papers count the waiting of a rank in units of its work, (p - 1) / m, or in seconds. Here it is
turned into a share of the whole step: waiting / (work + waiting). The formulas are those of the
orders in which torch's own schedules run, which the tests follow action by action; where a paper
counts otherwise, the note of the schedule says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of a pipeline.

    Attributes:
        formula: the share of waiting, in p, m and v.
        source: the paper, and where in it the formula stands or follows from.
        torch: what torch calls the schedule, ``"1F1B"``; ``""`` if torch has none like it.
        parts: how many parts of equal length the work on a micro-batch has in a stage, if the
            formula asks for that: forward, backward to the inputs, backward to the weights. 0 if it
            holds whatever a backward takes.
        stages: the stages that each rank must have; 0 if any number will do.
        share: the formula, worked out.
        lacks: what is wrong with the numbers of ranks, micro-batches and stages; ``""`` if nothing.
    """

    formula: str
    source: str
    torch: str
    share: Callable[[int, int, int], Fraction]
    lacks: Callable[[int, int, int], str] = lambda p, m, v: ""
    parts: int = 0
    stages: int = 1


def _waiting(parts: int) -> Callable[[int, int, int], Fraction]:
    """Waiting of p - 1 units, beside `parts` units of work on each micro-batch in each stage."""
    return lambda p, m, v: Fraction(p - 1, parts * v * m + p - 1)


def _filled(p: int, m: int, v: int) -> str:
    """Fewer micro-batches than ranks leave gaps between the stages of a rank."""
    return "" if m >= p else f"at least {p} micro-batches, one for each rank"


def _filled_if_several(p: int, m: int, v: int) -> str:
    return "" if v == 1 else _filled(p, m, v)


def _rounds(p: int, m: int, v: int) -> str:
    """Micro-batches run in rounds of p or a few more, and torch wants rounds of one length."""
    rounds = max(1, m // p)
    if m % rounds:
        return f"a number of micro-batches that goes into {rounds} rounds of at least {p}"
    return _filled_if_several(p, m, v)


def _both(*checks: Callable[[int, int, int], str]) -> Callable[[int, int, int], str]:
    return lambda p, m, v: next((text for check in checks if (text := check(p, m, v))), "")


def _at_least(fewest: Callable[[int], int]) -> Callable[[int, int, int], str]:
    return lambda p, m, v: "" if m >= fewest(p) else f"at least {fewest(p)} micro-batches"


_GPIPE = "Huang et al. 2019, GPipe, arXiv:1811.06965, section 2.3"
_FLUSH = (
    "Narayanan et al. 2021, PipeDream-Flush, arXiv:2006.09503; Megatron-LM, arXiv:2104.04473, "
    "section 2.2.1"
)
_INTERLEAVED = "Narayanan et al. 2021, Megatron-LM, arXiv:2104.04473, section 2.2.2"
_BREADTH = "Lamy-Poirier 2022, Breadth-First Pipeline Parallelism, arXiv:2211.05953"
_ZERO = "Qi et al. 2023, Zero Bubble Pipeline Parallelism, arXiv:2401.10241, table 2"
_ZBV = (
    "Qi et al. 2023, arXiv:2401.10241, ZB-V, whose 0 lets ranks start and end one after another; "
    "here the order of torch's ScheduleZBVZeroBubble from the first start to the last end"
)
_DUAL = (
    "DeepSeek-AI 2024, DeepSeek-V3, arXiv:2412.19437, section 3.2.1; here the order of torch's "
    "ScheduleDualPipeV, whose forwards and backwards in pairs run in turn"
)

SCHEDULES = {
    "gpipe": Schedule("(p - 1) / (m + p - 1)", _GPIPE, "GPipe", _waiting(1)),
    "1f1b": Schedule("(p - 1) / (m + p - 1)", _FLUSH, "1F1B", _waiting(1)),
    "interleaved": Schedule(
        "(p - 1) / (v * m + p - 1)",
        _INTERLEAVED,
        "Interleaved1F1B",
        _waiting(1),
        _rounds,
        stages=0,
    ),
    "looped-bfs": Schedule(
        "(p - 1) / (v * m + p - 1)",
        _BREADTH,
        "LoopedBFS",
        _waiting(1),
        _filled_if_several,
        stages=0,
    ),
    "zb-h1": Schedule(
        "(p - 1) / (3 * m + p - 1)", _ZERO, "InterleavedZeroBubble", _waiting(3), _filled, parts=3
    ),
    "interleaved-zb": Schedule(
        "(p - 1) / (3 * v * m + p - 1)",
        f"{_ZERO} (ZB-H1), with the stages of a rank interleaved",
        "InterleavedZeroBubble",
        _waiting(3),
        _both(_filled, _rounds),
        parts=3,
        stages=0,
    ),
    "zb-h2": Schedule(
        "0",
        f"{_ZERO}, where ranks start and end one after another",
        "",
        lambda p, m, v: Fraction(0),
        _at_least(lambda p: 2 * p - 1),
        parts=3,
    ),
    "zbv": Schedule(
        "(p - 1) / (6 * m + p - 1)",
        _ZBV,
        "ZBVZeroBubble",
        _waiting(3),
        _at_least(lambda p: 2 * p - 1),
        parts=3,
        stages=2,
    ),
    "dualpipev": Schedule(
        "(p - 1) / (6 * m + p - 1)",
        _DUAL,
        "DualPipeV",
        _waiting(3),
        _at_least(lambda p: 2 * p),
        parts=3,
        stages=2,
    ),
}
"""The schedules by name. 1F1B waits as long as GPipe, and keeps the activations of p micro-batches
instead of m."""


def schedule_name(given: str) -> str | None:
    """The key in `SCHEDULES` of a schedule by its name here or torch's, in any case.

    ``"InterleavedZeroBubble"`` is ``"interleaved-zb"``, of which ZB-H1 is the case of one stage.
    """
    wanted = given.lower()
    if wanted in SCHEDULES:
        return wanted
    matching = [
        name for name, one in SCHEDULES.items() if one.torch and one.torch.lower() == wanted
    ]
    return matching[-1] if matching else None

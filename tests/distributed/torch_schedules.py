"""The order in which torch's schedules of pipelines act, and how long ranks wait that act so.

Nothing runs: schedules are made for stages that only note what is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch.distributed.pipelining.schedules import PipelineScheduleSingle, get_schedule_class

FORWARD, TO_INPUTS, TO_WEIGHTS, WHOLE = "forward", "to inputs", "to weights", "whole"
"""What a stage does with a micro-batch. A whole backward goes to inputs and weights at once."""

UNIT = {FORWARD: 1, TO_INPUTS: 1, TO_WEIGHTS: 1, WHOLE: 2}
"""Equal times of the three parts."""

_KINDS = {
    "FORWARD": FORWARD,
    "BACKWARD_INPUT": TO_INPUTS,
    "BACKWARD_WEIGHT": TO_WEIGHTS,
    "FULL_BACKWARD": WHOLE,
    "BACKWARD": WHOLE,
}


class Act(NamedTuple):
    """A stage does something with a micro-batch."""

    kind: str
    stage: int
    batch: int


class _Stage(SimpleNamespace):
    """A stage that notes what it is asked to do, and has nothing to send."""

    def __init__(self, ranks: int, stages: int, index: int) -> None:
        super().__init__(
            group=None,
            group_size=ranks,
            group_rank=index % ranks,
            num_stages=stages,
            stage_index=index,
            is_first=False,
            is_last=False,
            has_backward=True,
            submod=torch.nn.Identity(),
            device=torch.device("cpu"),
            stage_index_to_group_rank={each: each % ranks for each in range(stages)},
            acts=[],
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: []

    def forward_one_chunk(self, batch: int, *args: Any, **kwargs: Any) -> None:
        self.acts.append(Act(FORWARD, self.stage_index, batch))

    def backward_one_chunk(self, batch: int, *args: Any, **kwargs: Any) -> None:
        self.acts.append(Act(WHOLE, self.stage_index, batch))


def has(name: str) -> bool:
    """True if this torch has the schedule."""
    try:
        get_schedule_class(name)
    except ValueError:
        return False
    return True


def orders(name: str, ranks: int, batches: int, each: int) -> list[list[Act]]:
    """What every rank does, in its order.

    Args:
        name: what torch calls the schedule.
        ranks: how many ranks there are.
        batches: the number of micro-batches.
        each: stages of each rank.

    Raises:
        ValueError: torch does not run the schedule with these numbers.
    """
    kind = get_schedule_class(name)
    if issubclass(kind, PipelineScheduleSingle):
        return [_single(kind, ranks, batches, rank) for rank in range(ranks)]
    own = [_Stage(ranks, ranks * each, place * ranks) for place in range(each)]
    schedule: Any = kind(own, batches, loss_fn=lambda out, target: out)
    return [list(_acts(schedule.pipeline_order[rank])) for rank in range(ranks)]


def _single(kind: Any, ranks: int, batches: int, rank: int) -> list[Act]:
    """A schedule of one stage for each rank has its order in the code that runs it."""
    stage = _Stage(ranks, ranks, rank)
    schedule = kind(stage, batches, loss_fn=lambda out, target: out)
    schedule._step_microbatches([()] * batches, [{}] * batches, [None] * batches, [])
    return list(stage.acts)


def _acts(actions: Any) -> Iterator[Act]:
    for action in actions:
        if action is None:  # it stands for waiting in torch's pictures, and takes no time
            continue
        together = getattr(action, "sub_actions", None)
        if together:
            yield from _acts(together)
        else:
            kind = _KINDS[action.computation_type.name]
            yield Act(kind, action.stage_index, action.microbatch_index)


def waiting(acting: list[list[Act]], times: dict[str, int]) -> list[Fraction]:
    """The share of the step that each rank waits, if messages take no time.

    A forward needs that of the stage before. A backward needs the stage's own forward, and that of
    the stage behind to its inputs. A rank does one thing at a time, in its order.

    Raises:
        AssertionError: ranks wait for each other for ever.
    """
    last = max(act.stage for acts in acting for act in acts)
    ends: dict[Act, int] = {}
    clocks, places = [0] * len(acting), [0] * len(acting)
    moved = True
    while moved:
        moved = False
        for rank, acts in enumerate(acting):
            while places[rank] < len(acts):
                act = acts[places[rank]]
                needed = list(_needed(act, last))
                if any(one not in ends for one in needed):
                    break
                start = max([clocks[rank], *(ends[one] for one in needed)])
                clocks[rank] = start + times[act.kind]
                ends[_result(act)] = clocks[rank]
                places[rank] += 1
                moved = True
    assert places == [len(acts) for acts in acting]
    work = [sum(times[act.kind] for act in acts) for acts in acting]
    return [1 - Fraction(own, max(clocks)) for own in work]


def _needed(act: Act, last: int) -> Iterator[Act]:
    kind, stage, batch = act
    if kind == FORWARD and stage:
        yield Act(FORWARD, stage - 1, batch)
    if kind in (TO_INPUTS, WHOLE):
        yield Act(FORWARD, stage, batch)
        if stage < last:
            yield Act(TO_INPUTS, stage + 1, batch)
    if kind == TO_WEIGHTS:
        yield Act(TO_INPUTS, stage, batch)


def _result(act: Act) -> Act:
    """What others wait for: of a whole backward, the gradient of the inputs."""
    return act._replace(kind=TO_INPUTS) if act.kind == WHOLE else act

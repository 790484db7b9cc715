"""What looking for the set-up of a distributed run costs a process that has a group, and finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.pipelining  # what sets up is loaded
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing._internal.distributed.fake_pg import FakeStore

import dispatchcount as dc
from dispatchcount.capture import recorder
from tests.distributed.decoder import LAYERS, Decoder, step
from tests.distributed.ways import SHARDED, SHARDED_BY_WRAPPER, optimizer_of
from tests.work import python_calls


@pytest.fixture(autouse=True)
def two() -> Iterator[None]:
    """A fake group of two ranks."""
    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    yield
    dist.destroy_process_group()


def under(frames: int, run: Callable[[], Any]) -> Any:
    """What `run` returns, called from under so many frames more."""
    return run() if not frames else under(frames - 1, run)


@pytest.mark.parametrize("what", [nn.Identity(), lambda _: torch.empty(2, device="meta")])
def test_looking_for_it_costs_the_same_under_however_many_frames(what: Any) -> None:
    x = torch.ones(2)
    with dc.profile():
        what(x)  # what the process learns once is not what this counts
        few, many = (under(n, lambda: python_calls(lambda: what(x))) for n in (1, 200))
    assert few == many


def first_steps(make: Callable[[], nn.Module]) -> list[dict[tuple[str, str], int]]:
    """The calls of each operator in each phase of the first three steps."""
    model = make()
    optimizer = optimizer_of(model)
    steps = []
    for _ in range(3):
        calls: dict[tuple[str, str], int] = {}
        with dc.profile(model) as prof:
            step(model, optimizer)
        for entry in prof.report.entries:
            key = entry.phase, entry.op
            calls[key] = calls.get(key, 0) + entry.calls
        steps.append(calls)
    return steps


def replicated() -> DistributedDataParallel:
    """Replicated training whose communication hook works without a network."""

    def reduced(_, bucket):  # type: ignore[no-untyped-def]  # torch refuses annotations in text
        done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        dist.all_reduce(bucket.buffer())
        done.set_result(bucket.buffer())
        return done

    model = DistributedDataParallel(Decoder())
    model.register_comm_hook(None, reduced)
    return model


@pytest.mark.parametrize("make", [SHARDED_BY_WRAPPER.made, SHARDED.made, replicated])
def test_the_look_at_few_frames_misses_nothing(
    make: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = first_steps(make)
    monkeypatch.setattr(recorder, "may_set_up", lambda: True)
    assert ours == first_steps(make)


def test_what_sharded_and_replicated_modules_make_for_themselves_is_set_up() -> None:
    first, second, _ = first_steps(SHARDED_BY_WRAPPER.made)
    assert first["set-up", "aten.empty"] == LAYERS + 1  # what each shard is gathered into
    assert "set-up" not in {phase for phase, _ in second}
    first, second, third = first_steps(replicated)
    # Gradients are put into buckets anew in the second step, in the order in which they came.
    assert second["set-up", "aten.as_strided"] == 21
    assert "set-up" not in {phase for phase, _ in first} | {phase for phase, _ in third}

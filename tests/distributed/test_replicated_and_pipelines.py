"""Replicated training, pipelines and control traffic, on two ranks of gloo in one spawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
)
from torch.nn.parallel import DistributedDataParallel

import dispatchcount as dc
from dispatchcount.capture import recorder
from dispatchcount.report.collectives import Collective
from tests.distributed.decoder import LAYER, PARAMETERS, STEP, Decoder, step
from tests.distributed.spawn import on_ranks
from tests.distributed.ways import optimizer_of

REDUCE, BROADCAST = "c10d.allreduce_", "c10d.broadcast_"
ALL = 4 * PARAMETERS

Reports = dict[str, list[bytes]]


def in_half(bucket: dist.GradBucket) -> Any:
    """What a communication hook does that sends gradients as bfloat16."""
    sent = bucket.buffer().to(torch.bfloat16)
    done = dist.all_reduce(sent, async_op=True).get_future()
    return done.then(lambda _: bucket.buffer().copy_(sent))


def replicated(steps: int, optimizer: Any = optimizer_of, **options: Any) -> list[bytes]:
    """The reports of the first steps of replicated training, as JSON."""
    hook, state = options.pop("hook", None), options.pop("state", lambda: None)
    to_none = options.pop("to_none", True)
    model = DistributedDataParallel(Decoder(), **options)
    if hook is not None:
        model.register_comm_hook(state(), hook)
    updates = optimizer(model)
    reports = []
    for _ in range(steps):
        with dc.profile(model, strict=True) as prof:
            step(model, updates, to_none=to_none)
        reports.append(prof.report.to_json())
    return reports


def piped(schedule: Any, stages: int = 1) -> list[bytes]:
    """The reports of the first two steps of a pipeline over four micro-batches.

    There are two ranks, each with so many stages.
    """
    rank = dist.get_rank()
    models = [nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)) for _ in range(stages)]
    held = [
        PipelineStage(model, rank + 2 * place, 2 * stages, torch.device("cpu"))
        for place, model in enumerate(models)
    ]
    run = schedule(
        held if stages > 1 else held[0],
        4,
        loss_fn=lambda out, target: ((out - target) ** 2).sum(),
    )
    batch = torch.ones(16, 8)
    reports = []
    for _ in range(2):
        with dc.profile(*models, strict=True) as prof:
            if rank == 0:
                run.step(batch)
            else:
                run.step(target=batch)
        reports.append(prof.report.to_json())
    return reports


def always_asked(run: Callable[[], list[bytes]]) -> list[bytes]:
    """What `run` returns where each look for a set-up goes up the whole of Python's stack."""
    usual = recorder.may_set_up
    recorder.may_set_up = lambda: True
    try:
        return run()
    finally:
        recorder.may_set_up = usual


def control() -> list[bytes]:
    """What torch sends of its own, beside one broadcast of data."""
    model = nn.Linear(4, 4)
    found: list[Any] = [None, None]
    with dc.profile(model) as prof:
        dist.all_gather_object(found, {"rank": dist.get_rank()})
        dist.broadcast_object_list(found)
        dist.barrier()
        dist.monitored_barrier()
        dist.broadcast(model.weight.detach(), 0)
    return [prof.report.to_json()]


def all_scenarios() -> Reports:
    """Every scenario on this rank."""
    small = 0.05  # MB of a bucket, so that there are several

    def zero(model: nn.Module) -> Any:
        return ZeroRedundancyOptimizer(model.parameters(), torch.optim.AdamW)

    return {
        "one bucket": replicated(2),
        "buckets": replicated(3, bucket_cap_mb=small),
        "views": replicated(3, bucket_cap_mb=small, gradient_as_bucket_view=True, to_none=False),
        "hook": replicated(3, bucket_cap_mb=small, hook=lambda _, bucket: in_half(bucket)),
        "torch's hook": replicated(1, hook=bf16_compress_hook),
        "low rank": replicated(3, hook=powerSGD_hook, state=lambda: PowerSGDState(None, 1, 2)),
        "unused": replicated(1, find_unused_parameters=True),
        "static": replicated(1, static_graph=True),
        "zero": replicated(1, zero),
        "gpipe": piped(ScheduleGPipe),
        "1f1b": piped(Schedule1F1B),
        "1f1b, always asked": always_asked(lambda: piped(Schedule1F1B)),
        "interleaved": piped(ScheduleInterleaved1F1B, 2),
        "control": control(),
    }


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Reports]:
    """All scenarios on both ranks."""
    return on_ranks(2, all_scenarios, tmp_path_factory.mktemp("ranks"))


def report(ranks: list[Reports], name: str, place: int = -1, rank: int = 0) -> dc.Report:
    """A step's report."""
    return dc.Report.from_json(ranks[rank][name][place])


def data(one: dc.Report, op: str) -> Collective:
    """The data row of an operator."""
    [row] = [row for row in one.by_collective() if row.op == op and not row.control]
    return row


def test_one_bucket_belongs_to_the_model(ranks: list[Reports]) -> None:
    for rank in (0, 1):
        first = report(ranks, "one bucket", 0, rank)
        row = data(first, REDUCE)
        assert first.macs == STEP
        assert (row.calls, row.payload_bytes, row.wire_bytes) == (1, ALL, ALL)  # 2 · 1/2
        assert list(row.modules) == [""]
        assert list(row.issued_by) == ["embed"]  # its gradient came last


def test_a_bucket_belongs_to_the_deepest_module_that_holds_it(ranks: list[Reports]) -> None:
    """By the memory that gradients are written into; by views of it; and by a hook's argument."""
    owners = []
    for name, width in (("buckets", 4), ("views", 4), ("hook", 2)):
        row = data(report(ranks, name), REDUCE)
        assert (row.calls, row.payload_bytes) == (6, width * PARAMETERS)
        owners.append(
            {module: sent.payload_bytes * 4 // width for module, sent in row.modules.items()}
        )
    assert owners[0] == owners[1] == owners[2]
    # Buckets fill in the order of gradients: one within the last layer's gated product (its gate
    # and up: 2 · 64 · 128 numbers), others across modules of a layer, of both layers, and beyond.
    assert owners[0]["layers.1.gated"] == 4 * 2 * 64 * 128
    assert set(owners[0]) == {"", "layers", "layers.0", "layers.1", "layers.1.gated"}
    assert all(owners[0][f"layers.{place}"] < 4 * LAYER for place in (0, 1))


def test_hooks_of_torchs_own_send_less(ranks: list[Reports]) -> None:
    half = data(report(ranks, "torch's hook"), REDUCE)
    assert (half.calls, half.payload_bytes) == (1, 2 * PARAMETERS) == (1, 189_056)
    # From the third step on, a matrix of n rows and m columns goes as two vectors, of n and of m.
    # What is no matrix, 5 norms of 64 floats, is sent first and whole.
    first, second, third = (data(report(ranks, "low rank", place), REDUCE) for place in range(3))
    assert first.payload_bytes == second.payload_bytes == ALL
    norms = 4 * 5 * 64
    rows = 4 * (2 * (4 * 64 + 2 * 128 + 64) + 2 * 96)
    columns = 4 * (2 * (4 * 64 + 2 * 64 + 128) + 2 * 64)
    assert norms == 1_280
    # The vectors are sent by callbacks of futures. torch runs those where it likes: in this thread
    # if the future is done by then, else in one of its own, which no mode sees.
    assert third.payload_bytes in (norms, norms + rows, norms + columns, norms + rows + columns)


def test_book_keeping_is_control(ranks: list[Reports]) -> None:
    # In the second step the ranks agree on buckets that are sorted by when gradients came: a
    # set-up, and integers.
    second = report(ranks, "one bucket", 1)
    [row] = [row for row in second.by_collective() if row.control]
    assert (row.op, list(row.phases)) == (BROADCAST, ["set-up"])
    for name in ("unused", "static"):
        one = report(ranks, name)
        assert data(one, REDUCE).payload_bytes == ALL
        [row] = [row for row in one.by_collective() if row.control]
        parameters = 2 * 9 + 3
        assert (row.op, row.payload_bytes) == (REDUCE, 4 * parameters)  # an int32 for each


def test_an_optimizer_in_shards_sends_each_parameter(ranks: list[Reports]) -> None:
    row = data(report(ranks, "zero"), BROADCAST)
    assert (row.calls, row.payload_bytes) == (21, ALL)
    assert row.modules["layers.0.gated.down"].payload_bytes == 4 * 64 * 128
    assert list(row.phases) == ["optimizer"]


@pytest.mark.parametrize("name", ["gpipe", "1f1b"])
def test_set_up_of_a_pipeline_is_not_in_the_step(ranks: list[Reports], name: str) -> None:
    for rank in (0, 1):
        first, second = (report(ranks, name, place, rank) for place in (0, 1))
        # A micro-batch is 4 rows: 4 · 8 · 8 MACs forward. Rank 1 takes two gradients for each, rank
        # 0 needs none of its input.
        forward, backward = 4 * 4 * 64, 4 * 4 * 64 * (1 + rank)
        for one in (first, second):
            phases = one.by_phase()
            assert (phases["forward"].macs, phases["backward"].macs) == (forward, backward)
            row = data(one, "c10d.send")
            assert (row.calls, row.payload_bytes) == (4, 4 * 4 * 8 * 4)
            assert data(one, "c10d.recv_").calls == 4
            assert list(row.modules) == [""]
            assert list(row.issued_by) == ["(no module)"]
        # One micro-batch more, to learn shapes.
        assert first.by_phase()["set-up"].macs == 4 * 64 * (1 + rank)
        assert "set-up" not in second.by_phase()
        assert first.by_phase()["forward"].bytes_read == second.by_phase()["forward"].bytes_read
        assert not first.unknown_ops


def test_a_pipeline_of_two_stages_on_each_rank(ranks: list[Reports]) -> None:
    for rank in (0, 1):
        first, second = (report(ranks, "interleaved", place, rank) for place in (0, 1))
        # Two stages run each of 4 micro-batches of 4 rows. Of the four stages in all, only the very
        # first needs no gradient of its input.
        forward, backward = 4 * 256 * 2, 4 * 256 * (3 + rank)
        for one in (first, second):
            phases = one.by_phase()
            assert (phases["forward"].macs, phases["backward"].macs) == (forward, backward)
        # Stage 0 sends on what stage 1 gets, and so on: rank 0 sends twice forward and once back.
        sent = data(second, "c10d.send")
        assert (sent.calls, sent.payload_bytes) == (4 * 3, 4 * 3 * 4 * 8 * 4)
        assert data(second, "c10d.recv_").calls == 4 * 3
        assert list(sent.modules) == ["(no module)"]
        assert "set-up" not in second.by_phase()
        # One micro-batch more forward; backward, gradients of inputs alone, of which stage 0 has none.
        assert first.by_phase()["set-up"].macs == 2 * 256 + 256 * (1 + rank)


def test_the_look_at_few_frames_misses_no_set_up(ranks: list[Reports]) -> None:
    for rank in (0, 1):
        for place in (0, 1):
            few = report(ranks, "1f1b", place, rank)
            assert few.entries == report(ranks, "1f1b, always asked", place, rank).entries


def test_objects_metadata_and_barriers_are_control(ranks: list[Reports]) -> None:
    one = report(ranks, "control")
    calls = {row.op: row.calls for row in one.by_collective() if row.control}
    # An object takes two calls: its size, then itself.
    assert calls == {
        "c10d.allgather_": 2,
        BROADCAST: 2,
        "c10d.barrier": 1,
        "c10d.monitored_barrier_": 1,
    }
    assert (data(one, BROADCAST).calls, data(one, BROADCAST).payload_bytes) == (1, 64)
    metadata = [row for row in report(ranks, "gpipe", 0).by_collective() if row.control]
    assert {phase for row in metadata for phase in row.phases} == {"set-up"}

"""Collectives as rows: on real groups of 2 and 4 ranks, on the fake group, and against torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore

import dispatchcount as dc
from tests.distributed.decoder import (
    LAYER,
    OUTSIDE,
    PARAMETERS,
    PRODUCTS,
    SCORES,
    STEP,
    Decoder,
    step,
)
from tests.distributed.ways import optimizer_of

GATHER, SCATTER, REDUCE = "c10d._allgather_base_", "c10d._reduce_scatter_base_", "c10d.allreduce_"
F_GATHER = "_c10d_functional.all_gather_into_tensor"
F_SCATTER = "_c10d_functional.reduce_scatter_tensor"
F_REDUCE = "_c10d_functional.all_reduce"


class Row(NamedTuple):
    """Calls, payload and wire bytes of an operator in the groups of one dimension."""

    calls: int
    payload: int
    wire: int


def rows(report: dc.Report) -> dict[tuple[str, str], Row]:
    """The data rows by operator and dimension."""
    return {
        (row.op, row.group.dimension): Row(row.calls, row.payload_bytes, row.wire_bytes)
        for row in report.by_collective()
        if not row.control
    }


def expected(way: str, n: int) -> dict[tuple[str, str], Row]:
    """What each way sends in a step, by hand.

    Of 4-byte parameters, layers are gathered for the forward and again for the backward, the rest
    once; all gradients are reduced once. Activations that tensor parallelism sends are 2 · 16 · 64
    numbers, the scores 2 · 16 · 96.
    """
    share, whole = n - 1, 4 * PARAMETERS
    gathered = 4 * (2 * 2 * LAYER + OUTSIDE)
    activation, scores = 4 * 2 * 16 * 64, 4 * 2 * 16 * 96
    if way == "ddp":
        return {(REDUCE, ""): Row(1, whole, whole * 2 * share // n)}
    if way in ("fsdp2", "fsdp2 checkpointed"):
        return {
            (GATHER, "dp"): Row(5, gathered, gathered * share // n),
            (SCATTER, "dp"): Row(3, whole, whole * share // n),
        }
    if way == "fsdp2 in bfloat16":
        return {
            (GATHER, "dp"): Row(5, gathered // 2, gathered // 2 * share // n),
            (SCATTER, "dp"): Row(3, whole, whole * share // n),
        }
    if way == "fsdp1":
        return {
            ("c10d.allgather_", ""): Row(5, gathered, gathered * share // n),
            (SCATTER, ""): Row(3, whole, whole * share // n),
        }
    if way == "tp":
        # Forward: the embedding, and 2 row-wise products a layer. Backward: an input's gradient for
        # each of 5 column-wise products a layer, and for the head.
        calls = 1 + 2 * 2 + 2 * 5 + 1
        return {
            (F_REDUCE, "tp"): Row(calls, calls * activation, calls * 2 * activation * share // n),
            (F_GATHER, "tp"): Row(1, scores, scores * share // n),
        }
    if way == "sp":
        # A layer gathers before attention and before the gated product, and in the backward of the
        # products behind them; it scatters as often. The embedding and the head add one of each.
        gathers, scatters = 2 * 4 + 2, 2 * 4 + 2
        norms, size = 3 * 5, 4 * 64
        return {
            (F_GATHER, "tp"): Row(
                gathers + 1,
                gathers * activation + scores,
                (gathers * activation + scores) * share // n,
            ),
            (F_SCATTER, "tp"): Row(
                scatters, scatters * activation, scatters * activation * share // n
            ),
            # AdamW lays out the gradients of 5 norms anew, three times each.
            (F_REDUCE, "tp"): Row(norms, norms * size, norms * 2 * size * share // n),
        }
    if way == "hsdp":
        return {
            (GATHER, "shard"): Row(5, gathered, gathered // 2),
            (SCATTER, "shard"): Row(3, whole, whole // 2),
            # The shards' gradients are added up among the two replicas: 2 · 1/2 of the bytes.
            (REDUCE, "replicate"): Row(3, whole // 2, whole // 2),
        }
    assert way == "fsdp2 x sp"
    return {}


def test_every_way_sends_what_it_should(both: Any) -> None:
    n, real, fake = both
    for rank in real:
        for way, measured in rank.items():
            on_gloo = dc.Report.from_json(measured.report)
            if hand := expected(way, n):
                assert rows(on_gloo) == hand, way
            assert not on_gloo.unknown_ops
            assert not on_gloo.failed_ops
            if way in fake:
                report = dc.Report.from_json(fake[way].report)
                assert rows(on_gloo) == rows(report), way
                assert on_gloo.macs == report.macs


def test_every_rank_computes_its_share(both: Any) -> None:
    n, real, _ = both
    for rank in real:
        macs = {way: dc.Report.from_json(m.report).macs for way, m in rank.items()}
        for way in {"ddp", "fsdp2", "fsdp2 in bfloat16", "fsdp1", "hsdp"} & set(macs):
            assert macs[way] == STEP
        # Recompute runs the layers' forward again, and stops when it has what the backward needs,
        # which the result of the last product is not.
        head, last = 2 * 16 * 64 * 96, 2 * 2 * 16 * 128 * 64
        again = PRODUCTS - head - last + 2 * SCORES
        assert again == 2_228_224
        if n == 2:
            assert macs["fsdp2 checkpointed"] == STEP + again
        assert macs["tp"] == macs["sp"] == STEP // n


def test_two_groups_of_one_size_are_two_rows(both: Any) -> None:
    n, real, _ = both
    if n == 4:
        report = dc.Report.from_json(real[0]["fsdp2 x sp"].report)
        groups = {row.group.dimension: row.group.ranks for row in report.by_collective()}
        assert groups == {"dp": (0, 2), "tp": (0, 1)}
        other = dc.Report.from_json(real[3]["hsdp"].report)
        groups = {row.group.dimension: row.group.ranks for row in other.by_collective()}
        assert groups == {"shard": (2, 3), "replicate": (1, 3)}


def test_torch_counts_as_many(both: Any) -> None:
    _, real, fake = both
    for measured in [*(m for rank in real for m in rank.values()), *fake.values()]:
        report = dc.Report.from_json(measured.report)
        ours: Counter[str] = Counter()
        for row in report.by_collective():
            ours[row.op] += row.calls
            assert row.group.size in measured.groups[row.op]
        assert dict(ours) == measured.calls
        assert sum(ours.values()) == sum(measured.counted.values())


def test_the_run_is_the_same(both: Any) -> None:
    _, real, _ = both
    assert all(measured.same for rank in real for measured in rank.values())


@pytest.fixture
def eight() -> Iterator[None]:
    """A fake group of eight ranks."""
    dist.init_process_group("fake", rank=0, world_size=8, store=FakeStore())
    yield
    dist.destroy_process_group()


def only(report: dc.Report) -> Any:
    """The one row of a report."""
    [row] = report.by_collective()
    return row


@pytest.mark.usefixtures("eight")
def test_async_sub_groups_and_coalesced() -> None:
    x = torch.ones(10)
    with dc.profile() as prof:
        dist.all_reduce(x, async_op=True).wait()
    assert (only(prof.report).calls, only(prof.report).payload_bytes) == (1, 40)
    assert only(prof.report).wire_bytes == 70  # 2 · 7/8 · 40
    pair = dist.new_group([0, 5])
    with dc.profile() as prof:
        dist.all_reduce(x, group=pair)
        dist.all_reduce(x, group=pair)
    row = only(prof.report)
    assert (row.group.ranks, row.group.size, row.calls) == ((0, 5), 2, 2)
    assert (row.payload_bytes, row.wire_bytes) == (80, 80)
    alone = dist.new_group([0])
    with dc.profile() as prof:
        dist.all_reduce(x, group=alone)
    assert (only(prof.report).payload_bytes, only(prof.report).wire_bytes) == (40, 0)
    many = torch.distributed._functional_collectives.all_reduce_coalesced([x, x], "sum", pair)
    assert len(many) == 2
    with dc.profile() as prof:
        torch.distributed._functional_collectives.all_reduce_coalesced([x, x], "sum", pair)
    assert (only(prof.report).calls, only(prof.report).payload_bytes) == (1, 80)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize("layers", [1, 4])
def test_a_sharded_model_gathers_twice_a_layer_and_once_for_the_rest(layers: int) -> None:
    model: Any = Decoder(layers=layers)
    for layer in model.layers:
        fully_shard(layer)
    fully_shard(model)
    with dc.profile(model) as prof:
        step(model, optimizer_of(model))
    found = rows(prof.report)
    assert found[GATHER, ""].calls == 2 * layers + 1
    assert found[SCATTER, ""].calls == layers + 1
    # The head, the embedding and the norm divide by 8 ranks, and so do all others: no padding.
    whole = 4 * (layers * LAYER + OUTSIDE)
    assert found[SCATTER, ""].payload == whole
    assert found[GATHER, ""].payload == whole + 4 * layers * LAYER


@pytest.mark.usefixtures("eight")
def test_padding_of_shards_is_sent() -> None:
    """Rows that do not divide by the number of ranks are padded: 9 rows of 4 numbers to 16."""
    model = fully_shard(torch.nn.Linear(4, 9, bias=False))
    with dc.profile(model) as prof:
        model(torch.ones(2, 4)).sum().backward()
    found = rows(prof.report)
    assert found[GATHER, ""].payload == found[SCATTER, ""].payload == 4 * 16 * 4
    assert prof.report.params == 36


@pytest.mark.usefixtures("eight")
def test_tokens_that_experts_exchange_in_unequal_pieces() -> None:
    """The payload is what goes in: 20 tokens of 8 numbers; 10 come back."""
    sent, back = torch.ones(20, 8), torch.empty(10, 8)
    with dc.profile() as prof:
        dist.all_to_all_single(back, sent, [1, 1, 1, 1, 1, 1, 2, 2], [6, 2, 2, 2, 2, 2, 2, 2])
    row = only(prof.report)
    assert (row.payload_of, row.payload_bytes) == ("input", 20 * 8 * 4)
    assert row.wire_bytes == 7 * 20 * 8 * 4 // 8


@pytest.mark.usefixtures("eight")
def test_groups_made_anew_under_an_old_name_are_other_groups() -> None:
    x = torch.ones(4)
    with dc.profile() as prof:
        dist.all_reduce(x)
    assert only(prof.report).group == dc_group("0", 8)
    dist.destroy_process_group()
    dist.init_process_group("fake", rank=0, world_size=4, store=FakeStore())
    with dc.profile() as prof:
        dist.all_reduce(x)
    assert only(prof.report).group == dc_group("0", 4)
    assert only(prof.report).wire_bytes == 24  # 2 · 3/4 · 16


def dc_group(name: str, size: int) -> Any:
    """A group of the first ranks."""
    from dispatchcount.rules.core.group import Group

    return Group(name, tuple(range(size)))


@pytest.mark.usefixtures("eight")
def test_a_report_of_collectives_is_saved_merged_and_narrowed() -> None:
    model = torch.nn.Linear(4, 4)

    class Sends(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            dist.all_reduce(x)
            return self.inner(x)

    with dc.profile(Sends()) as prof:
        prof_model = prof
        dist.barrier()
        Sends()(torch.ones(2, 4))
    report = prof_model.report
    again = dc.Report.from_json(report.to_json())
    assert again.by_collective() == report.by_collective()
    assert again.groups == report.groups
    both = report + again
    assert [row.calls for row in both.by_collective()] == [2, 2]
    assert [row.control for row in both.by_collective()] == [False, True]
    assert report.payload_bytes == 32
    assert report.wire_bytes == 56  # 2 · 7/8 · 32
    report.self_check()

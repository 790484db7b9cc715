"""Reports of real gloo groups on rank 0, and what the others learn of a rank that is gone."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.nn.functional import all_to_all_single

import dispatchcount as dc
from dispatchcount.distributed.notices import Notices
from tests.capture.test_subclasses import TORCH
from tests.distributed.decoder import STEP, Decoder, step, tokens
from tests.distributed.spawn import on_ranks

pytestmark = pytest.mark.torch_alone

WIDTH, HIDDEN = 64, 128
SENT = ((14, 18), (17, 23))
"""How many of its tokens each rank sends to the expert of each rank.

It is written down here, because a gate's choice depends on its weights.
"""

OWN = tuple(map(sum, SENT))
ARRIVED = tuple(sum(column) for column in zip(*SENT, strict=True))
assert (OWN, ARRIVED) == ((32, 40), (31, 41))

GATE = 2 * WIDTH * 2
"""MACs of a step for a token: the gate's product, and the gradient of its weights."""

EXPERT = 3 * 2 * WIDTH * HIDDEN
"""MACs of a step for a token that arrived: two products, and two gradients of each."""


class Experts(nn.Module):
    """A layer of one expert on each rank. Tokens go to it weighed by a gate, and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, 2, bias=False)
        self.expert = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sent = torch.tensor(SENT[dist.get_rank()])
        came = torch.empty_like(sent)
        dist.all_to_all_single(came, sent)
        out, back = came.tolist(), sent.tolist()
        weighed = x * self.gate(x).softmax(-1)[:, :1]
        arrived = all_to_all_single(torch.empty(sum(out), WIDTH), weighed, out, back)
        done = all_to_all_single(torch.empty(len(x), WIDTH), self.expert(arrived), back, out)
        return torch.as_tensor(done)


def nonzero_macs(spread: Callable[[nn.Module], nn.Module]) -> tuple[int, int]:
    """Those of a step of a model half of whose weights are zero, and those that are known."""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    with torch.no_grad():
        model[0].weight[:, ::2] = 0
        model[2].weight[::2] = 0
    model = spread(model)
    with dc.profile(model, nonzero=True) as prof:
        model(torch.ones(4, 8)).sum().backward()
    return prof.report.nonzero_macs, prof.report.weighed_macs


def by_layer(model: Any) -> nn.Module:
    """Each layer sharded, and gathered for its use alone."""
    for layer in (model[0], model[2]):
        fully_shard(layer)
    return fully_shard(model)


def wrapped(model: nn.Module) -> nn.Module:
    """The same by the older wrapper."""
    return FullyShardedDataParallel(model, device_id=torch.device("cpu"))


def two_ranks() -> dict[str, Any]:
    """What rank 0 gathers of experts, of a sharded step, and of a plain one; others get None."""
    found: dict[str, Any] = {}

    def gather(name: str, report: dc.Report) -> None:
        ranks = dc.distributed.gather(report, timeout=120)
        found[name] = ranks and ranks.to_json()

    with dc.profile(experts := Experts()) as prof:
        experts(torch.ones(OWN[dist.get_rank()], WIDTH)).sum().backward()
    gather("experts", prof.report)
    sharded: Any = Decoder()
    for layer in sharded.layers:
        fully_shard(layer)
    fully_shard(sharded)
    for name, model in (("sharded", sharded), ("whole", Decoder())):
        optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
        with dc.profile(model, memory=True) as prof:
            step(model, optimizer)
        gather(name, prof.report)
    ways = {"plain": lambda model: model, "sharded": by_layer, "wrapped": wrapped}
    found["zeros"] = {name: nonzero_macs(spread) for name, spread in ways.items()}
    return found


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    if TORCH < (2, 8):
        pytest.skip("fully sharded steps raise below torch 2.8: see docs/limitations.md")
    return on_ranks(2, two_ranks, tmp_path_factory.mktemp("ranks"))


def test_rank_0_has_every_report(gathered: list[dict[str, Any]]) -> None:
    names = ("experts", "sharded", "whole")
    assert [gathered[1][name] for name in names] == [None] * 3
    ranks = dc.Ranks.from_json(gathered[0]["experts"])
    assert (ranks.world, ranks.ranks, ranks.missing) == (2, (0, 1), ())
    assert [dict(report.meta.labels)["rank"] for report in ranks.reports] == ["0", "1"]
    assert ranks.to_json() == gathered[0]["experts"]


def test_experts_are_as_uneven_as_their_tokens(gathered: list[dict[str, Any]]) -> None:
    ranks = dc.Ranks.from_json(gathered[0]["experts"])
    modules = ranks.by_module("macs")
    assert modules["gate"].values == tuple(own * GATE for own in OWN)
    assert modules["expert"].values == tuple(came * EXPERT for came in ARRIVED)
    whole = modules[""]
    assert whole.values == (32 * 256 + 31 * 49_152, 40 * 256 + 41 * 49_152)
    assert whole.values == ranks.spread("macs").values == (1_531_904, 2_025_472)
    assert (whole.sum, whole.mean, whole.slowest) == (3_557_376, 1_778_688, 1)
    assert whole.imbalance == 2_025_472 / 1_778_688
    assert f"{whole.imbalance:.4f}" == "1.1387"
    assert modules["expert"].imbalance == 41 / 36
    assert ranks.sum.by_module()["expert"].macs == 72 * EXPERT
    assert "rank 1" in str(ranks)


def test_tokens_go_out_and_back_and_so_do_their_gradients(gathered: list[dict[str, Any]]) -> None:
    """Calls: the two counts of 8 bytes, the tokens there and back, and the gradients of both."""
    for report, own, came in zip(
        dc.Ranks.from_json(gathered[0]["experts"]).reports, OWN, ARRIVED, strict=True
    ):
        (row,) = report.by_collective()
        assert (row.op, row.payload_of, row.calls) == ("c10d.alltoall_base_", "input", 5)
        assert row.payload_bytes == 2 * 8 + 2 * (own + came) * 4 * WIDTH
        assert {phase: sent.calls for phase, sent in row.phases.items()} == {
            "forward": 3,
            "backward": 2,
        }


def test_what_ranks_hold_and_do_alike(gathered: list[dict[str, Any]]) -> None:
    plain, sharded = Decoder(), dc.Ranks.from_json(gathered[0]["sharded"])
    with dc.profile(plain, memory=True) as prof:
        step(plain, torch.optim.AdamW(plain.parameters(), foreach=False))
    logical = prof.report
    whole = dc.Ranks.from_json(gathered[0]["whole"])
    assert logical.macs == STEP
    assert sharded.spread("macs").values == whole.spread("macs").values == (STEP,) * 2
    assert set(sharded.by_module()) == set(logical.by_module())
    # Sharded parameters are there once. A whole model on each of 2 ranks is there twice.
    assert set(sharded.redundancy().values()) == {1.0, None}  # None of work outside modules
    assert set(whole.redundancy().values()) == {2.0, None}
    # All ranks were given the same batch: the same work is done twice.
    assert whole.redundancy(logical)[""] == 2.0
    assert sharded.redundancy(logical)["layers.0.gated.up"] == 2.0
    assert sharded.spread("local_params").values == (94_528 // 2,) * 2
    for kind in ("memory_parameters", "memory_gradients"):
        assert sharded.spread(kind).values == (4 * 94_528 // 2,) * 2
        assert sharded.redundancy(logical, kind)["layers.0"] == 1.0
        assert whole.redundancy(logical, kind)["layers.0"] == 2.0
    # Two moments of each element. Each rank has the count of steps of each parameter, 4 bytes.
    weights = 4 * 64**2 + 3 * 64 * 128 + 2 * 64
    state = sharded.by_module("memory_optimizer")["layers.0"]
    assert state.values == (2 * 4 * weights // 2 + 9 * 4,) * 2


def test_zeros_of_gathered_weights_are_read_where_they_are_used(
    gathered: list[dict[str, Any]],
) -> None:
    """Their memory is freed before the block ends."""
    # 4 rows; forward takes both weights, backward both and the second once more, for its input.
    # Half of each weight is zero, but a gradient of a weight is a product of data alone.
    one = 4 * 8 * 8
    expected = 2 * one // 2 + one // 2 + 2 * one
    for rank in gathered:
        assert rank["zeros"] == dict.fromkeys(("plain", "sharded", "wrapped"), (expected, 5 * one))


def in_trouble(rank: int, ranks: int, port: int, folder: str) -> None:
    """Two ranks come late, then one raises and one is killed in the middle of a step."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", store=dist.TCPStore("127.0.0.1", port, None, False), rank=rank, world_size=ranks
    )
    notices = Notices.of_group()
    results: dict[str, Any] = {}

    def gather(report: dc.Report, timeout: float) -> None:
        start = time.time()
        try:
            dc.distributed.gather(report, timeout)
        except dc.MissingRanksError as error:
            came = error.ranks and [error.ranks.ranks, [r.macs for r in error.ranks.reports]]
            results[f"gather {len(results)}"] = [
                str(error), error.missing, came, time.time() - start
            ]  # fmt: skip

    class Stage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            if rank == 1:
                results["raised at"] = time.time()
                save()
                raise ValueError("no such expert")
            if rank == 2:
                kept.save()
                results["raised at"] = time.time()
                save()
                os.kill(os.getpid(), signal.SIGKILL)
            dist.all_reduce(x)
            out: torch.Tensor = self.last(x)
            return out

    def save() -> None:
        Path(folder, f"result-{rank}.json").write_text(json.dumps(results))

    with dc.profile() as prof:
        pass
    # Rank 3 is there before the time begins, and waits longer than rank 0 does; ranks 1 and 2 come
    # when the time is over, and are told so.
    if rank == 0:
        while not notices.has("report/0/3"):
            time.sleep(0.01)
    if rank in (1, 2):
        while not notices.has("over"):
            time.sleep(0.01)
    gather(prof.report, 0.5)
    if rank == 0:
        notices.put("over", b"")
    kept = dc.distributed.keep(dc.profile(Stage().requires_grad_(False)), Path(folder, "reports"))
    try:
        with kept:
            assert kept.profile._roots[0][1](torch.ones(4, 8)) is None
    except RuntimeError as error:  # what gloo says of a peer that is gone
        results["peer"] = [time.time(), str(error)]
        gather(kept.report, 60)
        results["known at"] = time.time()
        save()
        os._exit(0)  # torch would wait for its peers


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], list[int | None]]:
    folder = tmp_path_factory.mktemp("trouble")
    store = dist.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    context = mp.get_context("spawn")
    processes = [
        context.Process(target=in_trouble, args=(rank, 4, store.port, str(folder)))
        for rank in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(150)
    codes = [process.exitcode for process in processes]
    results = [json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(4)]
    return folder, results, codes


def test_ranks_that_do_not_come_are_named(trouble: Any) -> None:
    _, results, _ = trouble
    message = (
        "reports are missing: rank 1 gave no report within 0.5 s; "
        "rank 2 gave no report within 0.5 s"
    )
    for rank in range(4):
        said, missing, came, _ = results[rank]["gather 0"]
        assert (said, missing) == (message, [1, 2])
        assert came == ([[0, 3], [0, 0]] if rank == 0 else None)


def test_a_rank_that_raised_and_one_that_was_killed(trouble: Any) -> None:
    folder, results, codes = trouble
    assert codes == [0, 1, -signal.SIGKILL, 0]
    for rank in (0, 3):
        said, missing, came, _ = results[rank]["gather 2"]
        assert missing == [1, 2]
        assert said == (
            "reports are missing: rank 1 raised ValueError: no such expert in the root; its report so "
            f"far is {folder}/reports/rank-1.json; rank 2 has ended without a report"
        )
        # Long before the 60 seconds that gather() was given.
        assert results[rank]["known at"] - results[1]["raised at"] < 50
        assert came == ([[0, 3], [256, 256]] if rank == 0 else None)


def test_every_rank_leaves_its_report_on_disk(trouble: Any) -> None:
    folder, _, _ = trouble
    files = sorted((folder / "reports").glob("rank-*.json"))
    ranks = dc.Report.merge(map(dc.Report.from_json, files), axis="rank")
    assert (ranks.world, ranks.ranks) == (4, (0, 1, 2, 3))
    # All four did the first layer, 4·8·8 MACs, and none the last.
    assert ranks.by_module("macs")["first"].values == (256,) * 4
    assert ranks.by_module("macs")["last"].values == (0,) * 4
    errors = [report.meta.error for report in ranks.reports]
    assert errors[1] == "ValueError: no such expert"
    assert errors[2] is None  # it was killed, and left what it saved before


def test_a_process_alone_is_a_job_of_one() -> None:
    with dc.profile(net := Decoder()) as prof, torch.no_grad():
        net(tokens())
    ranks = dc.distributed.gather(prof.report)
    assert ranks is not None
    assert (ranks.world, ranks.reports) == (1, (prof.report,))


def test_a_fake_group_has_nobody_to_gather_from() -> None:
    from torch.testing._internal.distributed.fake_pg import FakeStore

    with dc.profile() as prof:
        pass
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=4)
    try:
        with pytest.raises(dc.DispatchcountError, match=r"distributed\.plan"):
            dc.distributed.gather(prof.report)
    finally:
        dist.destroy_process_group()

"""Plans against hand counts, against torch's own trackers, and against what a plan must leave alone.

Figures of Llama 7B's shape are those of one sequence of 4,096 tokens in bfloat16.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

import dispatchcount as dc
from dispatchcount.distributed import Plan, plan
from dispatchcount.errors import UsageError
from tests.distributed.decoder import STEP as SMALL
from tests.distributed.decoder import Decoder
from tests.distributed.spread import (
    VERSION,
    adamw,
    both,
    llama,
    megatron,
    plans,
    sequence_parallel,
    sharded,
    step,
    step_macs,
    tensor_parallel,
    uneven,
)

pytestmark = [pytest.mark.torch_alone, plans]

MESSAGE = 4096 * 4096 * 2
"""Bytes of the activations between two layers: one sequence, 4,096 wide, 2 bytes each."""

PARAMS = 6_738_415_616
LLAMA = step(1, 4096)


def sent(planned: Plan) -> dict[tuple[str, str], tuple[int, int]]:
    """Calls and payload of everything that is sent, by operator and dimension of the mesh."""
    return {
        (row.op.rpartition(".")[2], row.group.dimension): (row.calls, row.payload_bytes)
        for row in planned.by_collective()
    }


# Figures that were worked out by hand


@pytest.mark.parametrize("depth", [2, 4])
def test_tensor_parallelism_without_sequences_reduces_7_times_a_layer(depth: int) -> None:
    """Forward: 2. Backward: each product cut by columns (5 a layer), and the head."""
    planned = plan(llama(depth), tensor_parallel, LLAMA, mesh={"tp": 8})
    calls = 7 * depth + 1
    assert sent(planned)["all_reduce", "tp"] == (calls, calls * MESSAGE)
    # Each message passes a ring of 8 ranks: 2 · 7/8 of it.
    assert planned.wire_bytes - 7 * 4096 * 32000 * 2 // 8 == calls * 2 * 7 * MESSAGE // 8
    assert planned.macs == step_macs(1, 4096, 4096, 11008, depth, 32000) // 8


def test_one_reduction_for_all_products_of_an_input_makes_it_4_a_layer() -> None:
    planned = plan(llama(4), megatron, LLAMA, mesh={"tp": 8})
    assert sent(planned)["all_reduce", "tp"] == (4 * 4 + 1, 17 * MESSAGE) == (17, 570_425_344)


def test_sequence_parallelism_gathers_and_scatters_4_times_a_layer() -> None:
    planned = plan(llama(4), sequence_parallel, LLAMA, mesh={"tp": 8})
    logits = 4096 * 32000 * 2
    assert sent(planned) == {
        ("all_gather_into_tensor", "tp"): (4 * 4 + 3, 18 * MESSAGE + logits),
        ("reduce_scatter_tensor", "tp"): (4 * 4 + 2, 18 * MESSAGE),
    }
    assert (18 * MESSAGE + logits, 18 * MESSAGE) == (866_123_776, 603_979_776)


def padded(depth: int, dp: int, tp: int = 1) -> tuple[int, int]:
    """Bytes of one layer's and of all other parameters where dp divides the first dimension up."""

    def size(rows: int, columns: int) -> int:
        return -(-rows // dp) * dp * columns * 2

    layer = 3 * size(4096 // tp, 4096) + size(4096, 4096 // tp)  # q k v, o
    layer += 2 * size(11008 // tp, 4096) + size(4096, 11008 // tp)  # gate up, down
    layer += 2 * size(4096, 1)  # norms
    rest = 2 * size(32000 // tp, 4096) + size(4096, 1)  # embed and out, norm
    return layer * depth, rest


@pytest.mark.parametrize("dp", [128, 1024])
def test_fsdp_gathers_each_layer_twice_and_the_rest_once(dp: int) -> None:
    layers, rest = padded(4, dp)
    planned = plan(llama(4), sharded, LLAMA, mesh={"dp": dp})
    assert sent(planned) == {
        ("_allgather_base_", "dp"): (2 * 4 + 1, 2 * layers + rest),
        ("_reduce_scatter_base_", "dp"): (4 + 1, layers + rest),
    }
    if dp == 1024:
        assert (2 * layers + rest, layers + rest) == (3_808_567_296, 2_172_723_200)
    assert planned.padded is not None
    assert planned.padded.sent == layers + rest
    # 128 divides 4,096, 11,008 and 32,000; 1,024 does not divide the last two.
    assert (planned.padded.factor == 1.0) == (dp == 128) == ("padding" not in str(planned))
    # A layer's parameters are gathered again in backward; the root's are kept.
    assert planned.gathers == {"": 1, **{f"layers.{index}": 2 for index in range(4)}}
    if dp == 1024:
        useful = sum(padded(4, 1))
        assert (useful, layers + rest) == (2_143_363_072, 2_172_723_200)
        assert (
            "FSDP gathers 2,172,723,200 bytes for the 2,143,363,072 of the parameters, 1.4 % more, "
            "because 1,024 ranks do not divide the first dimension of each and zeros fill it up; "
            "it gathers those of each module once or twice a step"
        ) in str(planned)


@uneven
def test_fsdp_of_tensor_parallelism_on_1024_ranks() -> None:
    layers, rest = padded(4, 128, 8)
    planned = plan(llama(4), both, LLAMA, mesh="dp=128,tp=8")
    found = sent(planned)
    assert found["_allgather_base_", "dp"] == (9, 2 * layers + rest) == (9, 476_192_768)
    assert found["_reduce_scatter_base_", "dp"] == (5, layers + rest) == (5, 271_654_912)
    # The gradients of 2 · 4 + 1 norms, of 4,096 elements each, are summed over tp.
    assert found["all_reduce", "tp"] == (9, 9 * 4096 * 2)
    assert found["all_gather_into_tensor", "tp"][0] == 4 * 4 + 3


@uneven
def test_10000_ranks_cost_no_more_and_the_plan_says_what_padding_sends() -> None:
    """All 32 layers are planned in ``benchmarks/plan.py``."""
    layers, rest = padded(2, 1250, 8)
    planned = plan(llama(2), both, LLAMA, mesh={"dp": 1250, "tp": 8}, rank=9_999)
    assert sent(planned)["_reduce_scatter_base_", "dp"] == (3, layers + rest)
    assert planned.padded is not None
    assert planned.padded.ranks == 1250
    useful = sum(padded(2, 1, 8))
    assert f"{layers + rest:,} bytes for the {useful:,} of the parameters" in str(planned)
    assert f"{100 * (layers + rest - useful) / useful:.1f} % more" in str(planned)
    assert planned.coordinates == {"dp": 1249, "tp": 7}
    # The last of 1,250 ranks gets nothing of a dimension of 4,096 / 8 or 4,096 rows.
    assert planned.macs == step_macs(1, 4096, 4096, 11008, 2, 32000) // 8


def test_ddp_reduces_each_gradient_once() -> None:
    planned = plan(llama(4), lambda m, _: DistributedDataParallel(m), LLAMA, mesh={"dp": 1024})
    params = 4 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096) + 2 * 32000 * 4096 + 4096
    (row,) = planned.by_collective()
    assert row.payload_bytes == 2 * params
    assert row.wire_bytes == 2 * 1023 * (2 * params) // 1024
    assert 2 * (params + 28 * (params - 2 * 32000 * 4096 - 4096) // 4) == 2 * PARAMS


# The small decoder on few ranks, whose integers a run on gloo has too


def small(parallelize: Any, mesh: Any, rank: int = 0, run: Any = None) -> Plan:
    return plan(Decoder, parallelize, run or step(), mesh, rank, optimizer=adamw)


def test_ddp_small() -> None:
    planned = small(lambda m, _: DistributedDataParallel(m), {"dp": 2})
    assert planned.macs == SMALL
    assert sent(planned) == {("allreduce_", "dp"): (1, 4 * 94_528)}


@pytest.mark.parametrize("ranks", [2, 4])
def test_fsdp_small(ranks: int) -> None:
    planned = small(sharded, {"dp": ranks})
    assert planned.macs == SMALL
    assert sent(planned) == {
        ("_allgather_base_", "dp"): (5, 706_816),
        ("_reduce_scatter_base_", "dp"): (3, 378_112),
    }
    assert (planned.local_params, planned.params) == (94_528 // ranks, 94_528)
    assert planned.parameters == planned.gradients == 378_112 // ranks


@pytest.mark.skipif(VERSION < (2, 8), reason="torch 2.7 asks for a GPU's event in HSDP on CPUs")
def test_hsdp_small() -> None:
    planned = small(sharded, {"replicate": 2, "shard": 2})
    assert sent(planned) == {
        ("_allgather_base_", "shard"): (5, 706_816),
        ("_reduce_scatter_base_", "shard"): (3, 378_112),
        ("allreduce_", "replicate"): (3, 378_112 // 2),
    }


@pytest.mark.parametrize("ranks", [2, 4])
def test_tensor_parallel_small(ranks: int) -> None:
    assert small(tensor_parallel, {"tp": ranks}).macs == SMALL // ranks


def test_sequence_parallel_small() -> None:
    planned = small(sequence_parallel, {"tp": 2})
    assert planned.macs == SMALL // 2
    found = sent(planned)
    assert found["all_gather_into_tensor", "tp"] == (11, 94_208)
    assert found["reduce_scatter_tensor", "tp"] == (10, 81_920)
    # AdamW makes whole gradients of 5 norms three times over: 3 · 5 of 64 floats.
    assert found["all_reduce", "tp"] == (15, 15 * 64 * 4)


def test_checkpointed_fsdp_runs_the_forward_of_the_blocks_again() -> None:
    def parallelize(model: Decoder, mesh: Any) -> nn.Module:
        for index, layer in enumerate(model.layers):
            model.layers[index] = checkpoint_wrapper(layer)
        return sharded(model, mesh)

    planned = small(parallelize, {"dp": 2})
    blocks = 2 * 16 * 2 * (4 * 64**2 + 3 * 64 * 128) + 2 * 2 * 2 * 16**2 * 64
    # What recomputes the last operator of a block is not needed, and is left out.
    assert planned.macs - SMALL == planned.report.by_phase()["recompute"].macs == 2_228_224
    assert 0 <= blocks - 2_228_224 <= 2 * 16 * 2 * 64 * 128
    assert {key: calls for key, (calls, _) in sent(planned).items()} == {
        ("_allgather_base_", "dp"): 5,
        ("_reduce_scatter_base_", "dp"): 3,
    }


def test_mixed_precision_gathers_2_bytes_and_reduces_4() -> None:
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)

    def parallelize(model: Decoder, mesh: Any) -> nn.Module:
        for layer in model.layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        return fully_shard(model, mesh=mesh, mp_policy=policy)

    assert sent(small(parallelize, {"dp": 2})) == {
        ("_allgather_base_", "dp"): (5, 706_816 // 2),
        ("_reduce_scatter_base_", "dp"): (3, 378_112),
    }


def test_accumulating_gradients_reduces_once() -> None:
    def twice(model: Any, optimizer: torch.optim.Optimizer) -> None:
        for last in (False, True):
            model.set_requires_gradient_sync(last)
            model(torch.zeros(2, 16, dtype=torch.long)).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    planned = small(sharded, {"dp": 2}, run=twice)
    assert planned.macs == 2 * SMALL
    assert sent(planned) == {
        ("_allgather_base_", "dp"): (10, 2 * 706_816),
        ("_reduce_scatter_base_", "dp"): (3, 378_112),
    }


def test_ddp_reduces_in_the_buckets_of_later_steps() -> None:
    """A run on gloo puts these parameters into one bucket in its first step, and into 6 later."""

    def build() -> Decoder:
        return Decoder(1024, 8, 4096, 2, 1000)

    planned = plan(build, lambda m, _: DistributedDataParallel(m), step(), mesh={"dp": 2})
    (row,) = planned.by_collective()
    assert (row.calls, row.payload_bytes) == (6, 142_430_208)


def test_a_redistribution_between_dimensions_is_an_all_to_all() -> None:
    """On CPUs torch gathers all 8 pieces, and keeps an eighth; a cluster's devices do not."""
    from torch.distributed.tensor import DTensor, Shard

    meshes = []

    def parallelize(model: nn.Module, mesh: Any) -> nn.Module:
        meshes.append(mesh)
        return model

    def run(model: nn.Module) -> None:
        tensor = DTensor.from_local(torch.empty(2, 16), meshes[-1], [Shard(0)])
        assert tensor.redistribute(placements=[Shard(1)]).to_local().shape == (16, 2)

    planned = plan(lambda: nn.Linear(1, 1), parallelize, run, mesh={"tp": 8})
    assert sent(planned) == {("shard_dim_alltoall", "tp"): (1, 2 * 16 * 4)}


# Ranks


def test_ranks_with_uneven_shards_do_not_hand_layouts_to_each_other() -> None:
    """5 rows over 2 ranks are 3 and 2."""
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    def parallelize(model: nn.Module, mesh: Any) -> nn.Module:
        return parallelize_module(model, mesh, {"0": ColwiseParallel(use_local_output=False)})

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(7, 5, bias=False))

    def run(model: nn.Module) -> None:
        model(torch.empty(4, 7))

    macs = [plan(build, parallelize, run, {"tp": 2}, rank).macs for rank in (0, 1, 0)]
    assert macs == [4 * 7 * 3, 4 * 7 * 2, 4 * 7 * 3]


# Memory, against torch's trackers


def big() -> Decoder:
    return Decoder(256, 8, 512, 2, 1000)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, foreach=False)


def test_plain_peak_is_that_of_torchs_tracker() -> None:
    """The second step is compared, in which the optimizer has its state from the start."""
    tracker = pytest.importorskip("torch.distributed._tools.mem_tracker")

    def run(model: nn.Module, optimizer: Any) -> None:
        tokens = torch.zeros(4, 128, dtype=torch.long)
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    with FakeTensorMode():
        model = big()
        optimizer = adam(model.parameters())
        run(model, optimizer)
        watch = tracker.MemTracker()
        watch.track_external(model, optimizer)
        with watch:
            run(model, optimizer)
        (expected,) = watch.get_tracker_snapshot("peak").values()
    planned = plan(big, None, run, {"dp": 1}, optimizer=adam)
    assert planned.peak == expected["Total"]
    # Two moments of 1,824,000 parameters, and a step of 4 bytes for each of 21. The peak of a first
    # step comes before them.
    assert planned.optimizer == 2 * 4 * 1_824_000 + 21 * 4
    assert planned.peak == 33_934_344 + planned.optimizer


def test_fsdp_peak_is_that_of_torchs_tracker() -> None:
    """31,298,184 bytes in a first step, and the optimizer's 1,824,084 in each later one."""

    def run(model: nn.Module, optimizer: Any = None) -> None:
        model(torch.zeros(4, 128, dtype=torch.long)).sum().backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()

    assert plan(big, sharded, run, {"dp": 8}).peak == 31_298_184
    planned = plan(big, sharded, run, {"dp": 8}, optimizer=adam)
    # Two moments as large as the shard, and a step of 4 bytes for each of 21 parameters.
    assert planned.optimizer == 2 * 912_000 + 21 * 4
    assert planned.peak == 31_298_184 + planned.optimizer


# What a plan leaves alone, and what it refuses


def test_everything_is_put_back_also_after_an_error() -> None:
    def build() -> nn.Module:
        torch.set_default_dtype(torch.bfloat16)
        torch.set_default_device("meta")
        return nn.Linear(4, 4)

    def run(model: nn.Module) -> None:
        model(torch.empty(2, 4))
        if fail:
            raise ValueError("no such batch")

    for fail in (False, True):
        before = torch.random.get_rng_state()
        with torch.no_grad():
            if fail:
                with pytest.raises(UsageError, match=r"step\(model\) raised .*no such batch"):
                    plan(build, None, run, {"dp": 2})
            else:
                assert plan(build, None, run, {"dp": 2}).macs == 2 * 4 * 4
            assert not torch.is_grad_enabled()
        assert not dist.is_initialized()
        assert torch.get_default_dtype() == torch.float32
        assert torch.empty(1).device.type == "cpu"
        assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("inside", [True, False])
def test_a_default_device_that_is_there_is_left_on(inside: bool) -> None:
    def run() -> None:
        assert plan(lambda: nn.Linear(4, 4), None, step_of_4, {"dp": 2}).macs == 2 * 4 * 4
        assert torch.empty(1).is_meta

    def step_of_4(model: nn.Module) -> None:
        model(torch.empty(2, 4))

    if inside:
        with torch.device("meta"):
            run()
    else:
        torch.set_default_device("meta")
        try:
            run()
        finally:
            torch.set_default_device(None)
    assert torch.empty(1).device.type == "cpu"


def test_a_step_that_fails_leaves_no_patch_behind() -> None:
    from torch.distributed.tensor import placement_types
    from torch.nn.parallel import distributed as ddp

    places = [
        (ddp, "_sync_module_states"),
        (dist, "all_reduce"),
        (dist, "_compute_bucket_assignment_by_size"),
        (placement_types, "shard_dim_alltoall"),
    ]
    before = [getattr(place, name) for place, name in places]
    with pytest.raises(UsageError, match="parallelize"):
        plan(Decoder, lambda m, mesh: 1 / 0, step(), {"dp": 2})
    with pytest.raises(UsageError, match="step"):
        plan(Decoder, lambda m, _: DistributedDataParallel(m), lambda m: 1 / 0, {"dp": 2})
    assert [getattr(place, name) for place, name in places] == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {
                "build": lambda: nn.SyncBatchNorm(2),
                "parallelize": lambda model, mesh: DistributedDataParallel(model),
            },
            "taking the model to fake tensors raised: ValueError: SyncBatchNorm",
        ),
        ({"step": lambda model: model(torch.empty(1, 2, device="meta"))}, "on the CPU"),
        ({"mesh": {}}, "give each dimension once"),
        ({"mesh": "dp"}, "'dp' is no dimension"),
        ({"mesh": "dp=2,dp=2"}, "has dimension dp twice"),
        ({"mesh": "dp=0"}, "an integer from 1 up"),
        ({"mesh": {"dp": 2.0}}, "an integer from 1 up"),
        ({"mesh": {"dp": 1 << 40}}, "at most"),
        ({"mesh": 8}, "the mesh is 8"),
        ({"rank": 4}, "rank 4 is not in the mesh dp=2,tp=2; its ranks are 0 to 3"),
        ({"rank": -1}, "rank -1"),
        ({"build": lambda: None}, r"build\(\) returned None"),
        ({"parallelize": lambda model, mesh: None}, "returned None, not a torch.nn.Module"),
        ({"parallelize": lambda model, mesh: mesh["pp"]}, "pp"),
        ({"step": lambda model: torch.ones(2).nonzero()}, "in a plan tensors have none"),
        ({"step": lambda model: torch.ones(2).sum().item()}, "in a plan tensors have none"),
        ({"load": [3, 4]}, "tokens of each expert"),
        ({"samples": 0}, "samples is 0; give how many all ranks together work on"),
        ({"samples": True}, "samples is True"),
        ({"load": {"moe": [3, -4]}}, "tokens of each expert"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "build": lambda: nn.Linear(2, 2),
        "parallelize": None,
        "step": lambda model: model(torch.empty(1, 2)),
        "mesh": {"dp": 2, "tp": 2},
    }
    with pytest.raises(UsageError, match=message):
        plan(**arguments | given)
    assert not dist.is_initialized()


def test_a_process_group_or_fake_mode_that_is_there_is_left_alone() -> None:
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=3, store=FakeStore())
    try:
        with pytest.raises(UsageError, match="is in a process group already"):
            plan(Decoder, None, step(), {"dp": 2})
        assert dist.get_world_size() == 3
    finally:
        dist.destroy_process_group()
    with FakeTensorMode(), pytest.raises(UsageError, match="FakeTensorMode is on"):
        plan(Decoder, None, step(), {"dp": 2})


# Experts and pipelines


def test_an_assumed_load_is_given_to_the_step_and_named() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList(nn.Linear(8, 8, bias=False) for _ in range(2))

        def forward(self, tokens: list[int]) -> None:
            for expert, count in zip(self.experts, tokens, strict=True):
                expert(torch.empty(count, 8))

    def run(model: nn.Module, load: dict[str, Any]) -> None:
        model(load["moe"])

    planned = plan(Experts, None, run, {"ep": 2}, load={"moe": [30, 10]})
    assert planned.macs == (30 + 10) * 8 * 8
    assert planned.imbalance == {"moe": 1.5}
    assert "load of moe: 30, 10 tokens by expert; the busiest has 1.50 times" in str(planned)


def test_dc_has_it_by_name() -> None:
    assert dc.distributed.plan is plan

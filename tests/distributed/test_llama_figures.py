"""All 32 layers of Llama 7B's shape: the integers that were worked out or measured without us.

One sequence of 4,096 tokens in bfloat16. Each layer is like the next, so a figure of 32 layers
follows from plans of one layer and of two; the largest plan is made whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import init_device_mesh
from torch.nn.parallel import DistributedDataParallel
from torch.testing._internal.distributed.fake_pg import FakeStore

import dispatchcount as dc
from dispatchcount.distributed import plan
from tests.distributed import spread
from tests.distributed.test_planning import LLAMA, MESSAGE, PARAMS, padded, sent

pytestmark = [pytest.mark.torch_alone, spread.plans]

Figures = dict[tuple[str, str], int]
"""Figures by operator and what they are of: ``("all_reduce", "calls")``."""

LAYER = 4 * 4096**2 + 3 * 4096 * 11008
"""Elements of the matrices of a layer."""

LOGITS = 4096 * 32000 * 2
"""Bytes of the scores of all words for each token."""


def figures(depth: int, parallelize: Any, mesh: dict[str, int]) -> Figures:
    """MACs, and calls and bytes of each collective, of a step of so many layers."""
    planned = plan(spread.llama(depth), parallelize, LLAMA, mesh)
    found = {("", "MACs"): planned.macs, ("", "wire"): planned.wire_bytes}
    for (op, _), (calls, payload) in sent(planned).items():
        found |= {(op, "calls"): calls, (op, "payload"): payload}
    return found


def deep(parallelize: Any, mesh: dict[str, int]) -> Callable[[int], Figures]:
    """The figures of any number of layers."""
    one, two = (figures(depth, parallelize, mesh) for depth in (1, 2))
    return lambda depth: {
        key: value + (depth - 1) * (two[key] - value) for key, value in one.items()
    }


def test_a_layer_forward_on_one_of_eight_ranks() -> None:
    def forward(model: nn.Module) -> None:
        with torch.no_grad():
            model(torch.zeros(1, 4096, dtype=torch.long))

    planned = plan(spread.llama(1), spread.tensor_parallel, forward, {"tp": 8})
    products, attention = LAYER * 4096 // 8, 2 * 4096**2 * 4096 // 8
    assert (products, attention) == (103_616_086_016, 17_179_869_184)
    assert planned.report.by_module()["layers.0"].macs == products + attention == 120_795_955_200


def test_a_step_on_one_of_eight_ranks() -> None:
    at = deep(spread.tensor_parallel, {"tp": 8})
    assert at(32)["", "MACs"] == spread.step_macs(1, 4096, 4096, 11008, 32, 32000) // 8
    assert at(32)["", "MACs"] == 12_072_616_198_144
    # 7 all-reduces a layer, and one for the head.
    for depth, calls, payload in ((4, 29, 973_078_528), (32, 225, 7_549_747_200)):
        assert calls == 7 * depth + 1
        assert at(depth)["all_reduce", "calls"] == calls
        assert at(depth)["all_reduce", "payload"] == calls * MESSAGE == payload
    # The ring of 8 hands on 2 · 7/8 of each; the scores are gathered once, 7/8 of them.
    assert 2 * 7 * MESSAGE // 8 == 58_720_256
    assert at(32)["", "wire"] == 225 * 58_720_256 + 7 * LOGITS // 8


def test_attention_that_is_not_fused_takes_one_product_less_backward() -> None:
    """On meta tensors torch takes attention apart: 2 products forward and 4 backward, not 5."""
    dist.init_process_group("fake", rank=0, world_size=8, store=FakeStore())
    try:
        mesh = init_device_mesh("cpu", (8,), mesh_dim_names=("tp",))
        with torch.device("meta"):
            model = spread.tensor_parallel(spread.llama(4)(), mesh)
            with dc.profile(model) as prof:
                spread.step(1, 4096)(model)
    finally:
        dist.destroy_process_group()
    one = 4096**2 * 4096 // 8
    fused = spread.step_macs(1, 4096, 4096, 11008, 4, 32000) // 8
    assert prof.report.macs == fused - 4 * one == 1_650_878_054_400
    assert 12_072_616_198_144 - 32 * one == 11_797_738_291_200


def test_megatrons_scheme_reduces_4_times_a_layer() -> None:
    at = deep(spread.megatron, {"tp": 8})
    for depth, calls, payload in ((4, 17, 570_425_344), (32, 129, 4_328_521_728)):
        assert calls == 4 * depth + 1
        assert at(depth)["all_reduce", "calls"] == calls
        assert at(depth)["all_reduce", "payload"] == calls * MESSAGE == payload


def test_sequence_parallelism_gathers_and_scatters_4_times_a_layer() -> None:
    at = deep(spread.sequence_parallel, {"tp": 8})
    for depth, gathered, scattered in (
        (4, 866_123_776, 603_979_776),
        (32, 4_624_220_160, 4_362_076_160),
    ):
        found = at(depth)
        assert found["all_gather_into_tensor", "calls"] == 4 * depth + 3
        assert found["reduce_scatter_tensor", "calls"] == 4 * depth + 2
        # One gather is that of the scores.
        assert found["all_gather_into_tensor", "payload"] == (4 * depth + 2) * MESSAGE + LOGITS
        assert found["all_gather_into_tensor", "payload"] == gathered
        assert found["reduce_scatter_tensor", "payload"] == (4 * depth + 2) * MESSAGE == scattered


@pytest.mark.parametrize(
    ("ranks", "gathered", "scattered"),
    [
        (1024, 26_710_384_640, 13_623_631_872),  # padded
        (128, 26_429_366_272, 13_476_831_232),
        (8, 26_429_366_272, 13_476_831_232),
    ],
)
def test_fsdp_gathers_each_layer_twice(ranks: int, gathered: int, scattered: int) -> None:
    found = deep(spread.sharded, {"dp": ranks})(32)
    layers, rest = padded(32, ranks)
    assert found["_allgather_base_", "calls"] == 2 * 32 + 1 == 65
    assert found["_reduce_scatter_base_", "calls"] == 32 + 1 == 33
    assert found["_allgather_base_", "payload"] == 2 * layers + rest == gathered
    assert found["_reduce_scatter_base_", "payload"] == layers + rest == scattered
    assert (scattered == 2 * PARAMS) == (ranks < 1024)


@spread.uneven
def test_10000_ranks_with_all_layers() -> None:
    planned = plan(spread.llama(32), spread.both, LLAMA, {"dp": 1250, "tp": 8})
    layers, rest = padded(32, 1250, 8)
    found = sent(planned)
    assert found["_allgather_base_", "dp"] == (65, 2 * layers + rest) == (65, 5_879_050_000)
    assert found["_reduce_scatter_base_", "dp"] == (33, layers + rest) == (33, 2_980_490_000)
    # The gradients of 2 · 32 + 1 norms of 4,096 elements are summed over tp.
    assert found["all_reduce", "tp"] == (65, 65 * 4096 * 2) == (65, 532_480)
    assert planned.macs == 12_072_616_198_144
    # A shard of tp has an eighth of the matrices and whole norms: 1.77 times that is sent.
    useful = 2 * ((32 * LAYER + 2 * 32000 * 4096) // 8 + 65 * 4096)
    assert useful == 1_685_069_824
    assert planned.padded is not None
    assert (planned.padded.sent, planned.padded.useful) == (2_980_490_000, useful)
    assert "76.9 % more, because 1,250 ranks" in str(planned)  # 2,980,490,000 / 1,685,069,824
    assert f"{planned.padded.factor:.2f}" == "1.77"


def test_replicas_on_1024_ranks_reduce_each_gradient_once() -> None:
    found = deep(lambda model, _: DistributedDataParallel(model), {"dp": 1024})(32)
    assert PARAMS == 32 * (LAYER + 2 * 4096) + 2 * 32000 * 4096 + 4096
    assert found["allreduce_", "payload"] == 2 * PARAMS == 13_476_831_232
    # 1,024 divides 2 · 1,023 · 2 · PARAMS.
    assert 2 * 1023 * 2 * PARAMS % 1024 == 0
    assert 2 * 1023 * 2 * PARAMS // 1024 == 26_927_340_528
    assert found["", "wire"] == 26_927_340_528

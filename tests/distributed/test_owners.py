"""A collective belongs to the module whose data it moves, with the one that ran beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.testing._internal.distributed.fake_pg import FakeStore

import dispatchcount as dc
from tests.distributed.decoder import LAYERS, step
from tests.distributed.ways import (
    SEQUENCE,
    SHARDED,
    SHARDED_BY_WRAPPER,
    TENSOR,
    Way,
    prepared,
)


@pytest.fixture(autouse=True)
def two() -> Iterator[None]:
    """A fake group of two ranks."""
    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    yield
    dist.destroy_process_group()


def owners(report: dc.Report, op: str, *, issued: bool = False) -> dict[str, int]:
    """How often an operator was called for each module, or by it."""
    calls: dict[str, int] = {}
    for row in report.by_collective():
        if row.op == op and not row.control:
            for name, traffic in (row.issued_by if issued else row.modules).items():
                calls[name] = calls.get(name, 0) + traffic.calls
    return calls


def of_step(way: Way) -> dc.Report:
    """The report of a model's second step."""
    model, optimizer = prepared(way)
    with dc.profile(model) as prof:
        step(model, optimizer)
    prof.report.self_check()
    return prof.report


@pytest.mark.parametrize(
    ("way", "gather"),
    [(SHARDED, "c10d._allgather_base_"), (SHARDED_BY_WRAPPER, "c10d.allgather_")],
)
def test_sharded_layers_own_what_is_gathered_ahead_of_time(way: Way, gather: str) -> None:
    report = of_step(way)
    layers = {f"layers.{place}": 1 for place in range(LAYERS)}
    # A layer is gathered in the forward and in the backward; the rest, the root's, stays gathered.
    assert owners(report, gather) == {"": 1, **dict.fromkeys(layers, 2)}
    assert owners(report, "c10d._reduce_scatter_base_") == {"": 1, **layers}
    # In the backward the head ran when layer 1 was gathered, and layer 1 when layer 0 was.
    issued = owners(report, gather, issued=True)
    assert issued == {"": 1, "layers.0": 1, "layers.1": 2, "head": 1}
    # The bytes are on the rows of the layers, and their sum is that of the block.
    modules = report.by_module()
    assert modules[""].wire_bytes == report.wire_bytes
    assert modules["layers.0"].wire_bytes == modules["layers.1"].wire_bytes > 0


def test_a_shard_of_modules_of_a_layer_belongs_to_the_deepest_that_holds_them() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
            self.scale = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale(self.inner(x))

    model = Two()
    fully_shard([model.inner[0], model.inner[2]])
    fully_shard(model)
    with dc.profile(model) as prof:
        model(torch.ones(2, 8)).sum().backward()
    # Linear 0 and 2 are one shard, whose deepest common module is `inner`; the rest is the root's.
    gathers = owners(prof.report, "c10d._allgather_base_")
    assert set(gathers) == {"", "inner"}


def test_hooks_of_a_module_work_for_it() -> None:
    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("tp",))
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    parallelize_module(model, mesh, {"0": ColwiseParallel(), "1": RowwiseParallel()})
    with dc.profile(model) as prof:
        model(torch.ones(2, 8, requires_grad=True)).sum().backward()
    report = prof.report
    # Forward: the row-wise layer adds up. Backward: the column-wise one adds its input's gradient.
    assert owners(report, "_c10d_functional.all_reduce") == {"0": 1, "1": 1}
    assert owners(report, "_c10d_functional.all_reduce", issued=True) == {"0": 1, "1": 1}
    [row] = report.by_collective()
    assert {phase: traffic.calls for phase, traffic in row.phases.items()} == {
        "forward": 1,
        "backward": 1,
    }


def test_each_module_of_tensor_parallelism() -> None:
    report = of_step(TENSOR)
    per_layer = ("attend.query", "attend.key", "attend.value", "gated.gate", "gated.up")
    rows = ("attend.merge", "gated.down")
    expected = {
        f"layers.{place}.{name}": 1 for place in range(LAYERS) for name in (*per_layer, *rows)
    }
    assert owners(report, "_c10d_functional.all_reduce") == {"embed": 1, "head": 1, **expected}
    assert owners(report, "_c10d_functional.all_gather_into_tensor") == {"head": 1}


def test_backward_of_a_hook_belongs_to_its_module_too() -> None:
    report = of_step(SEQUENCE)
    four = ("attend", "attend.merge", "gated", "gated.down")
    expected = {f"layers.{place}.{name}": 1 for place in range(LAYERS) for name in four}
    # `attend` gathers in its hook, and its backward scatters; `merge` scatters, and its backward
    # gathers. The head gathers its input and its scores.
    gathers = owners(report, "_c10d_functional.all_gather_into_tensor")
    assert gathers == {"embed": 1, "head": 2, **expected}
    scatters = owners(report, "_c10d_functional.reduce_scatter_tensor")
    assert scatters == {"embed": 1, "head": 1, **expected}
    # The optimizer lays out the gradients of norms anew: they are the norms' data.
    norms = {"last": 3} | {
        f"layers.{place}.{name}": 3 for place in range(LAYERS) for name in ("before", "between")
    }
    assert owners(report, "_c10d_functional.all_reduce") == norms
    assert owners(report, "_c10d_functional.all_reduce", issued=True) == {"(no module)": 15}


def test_parameters_and_gradients_that_are_sent_themselves() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, bias=False))
    with dc.profile(model) as prof:
        dist.broadcast(model[1].weight.detach(), 0)
        model(torch.ones(2, 4)).sum().backward()
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)
    assert owners(prof.report, "c10d.broadcast_") == {"1": 1}
    assert owners(prof.report, "c10d.allreduce_") == {"0": 2, "1": 1}


def test_what_a_module_sends_of_its_own_is_its_own() -> None:
    class Exchange(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = torch.empty_like(x)
            dist.all_to_all_single(out, x)
            return out

    model = nn.Sequential(nn.Linear(4, 4), Exchange())
    with dc.profile(model) as prof:
        model(torch.ones(2, 4))
    assert owners(prof.report, "c10d.alltoall_base_") == {"1": 1}


def test_nothing_of_a_group_is_kept() -> None:
    """A block that is over keeps no process group, so that ranks can be torn down."""
    import gc
    import weakref

    pair = dist.new_group([0, 1])
    with dc.profile() as prof:
        dist.all_reduce(torch.ones(4), group=pair)
    known: Any = weakref.ref(pair)
    assert [row.group.size for row in prof.report.by_collective()] == [2]
    dist.destroy_process_group(pair)
    del pair
    gc.collect()
    assert known() is None

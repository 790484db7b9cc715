"""Plans that break: the error says what to do, and nothing of the process is left changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, placement_types
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parallel import distributed as ddp

from dispatchcount.distributed import plan
from dispatchcount.errors import UsageError
from tests.distributed.spread import plans

pytestmark = [pytest.mark.torch_alone, plans]


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))


def step(model: nn.Module) -> None:
    model(torch.ones(4, 8)).sum().backward()


MACS = 4 * 8 * 8 * (2 + 2 + 1)
"""Both products forward, both weights' gradients, and that of the input of the second."""

WAYS: dict[str, Callable[[Any, Any], nn.Module]] = {
    "alone": lambda model, mesh: model,
    "replicated": lambda model, mesh: DistributedDataParallel(model),
    "sharded": lambda model, mesh: fully_shard(model, mesh=mesh),
    "columns": lambda model, mesh: parallelize_module(
        model, mesh, {"0": ColwiseParallel(output_layouts=Replicate())}
    ),
}

PATCHED = [
    (ddp, "_verify_param_shape_across_processes"),
    (ddp, "_sync_module_states"),
    (dist, "all_reduce"),
    (dist, "_compute_bucket_assignment_by_size"),
    (placement_types, "shard_dim_alltoall"),
]


def process() -> list[Any]:
    """What of the process code of a plan may change."""
    made = torch.empty(1)
    return [
        *(getattr(place, name) for place, name in PATCHED),
        dist.is_initialized(),
        (type(made), made.device, made.dtype),
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        torch.overrides._get_current_function_mode_stack(),
        torch.utils._python_dispatch._get_current_dispatch_mode_stack(),
        torch.random.get_rng_state().tolist(),
        random.getstate(),
        len(nn.modules.module._global_forward_hooks),
        len(nn.modules.module._global_forward_pre_hooks),
    ]


class Own(BaseException):
    """No `Exception`, as what stops a process is none."""


@settings(max_examples=60, deadline=None)
@given(
    way=st.sampled_from(sorted(WAYS)),
    place=st.sampled_from(["build", "parallelize", "optimizer", "step before", "step behind"]),
    run=st.integers(1, 2),
    kind=st.sampled_from([ValueError, RuntimeError, KeyboardInterrupt, SystemExit, Own]),
    meddling=st.booleans(),
)
def test_wherever_a_plan_breaks_the_process_is_as_it_was(
    way: str, place: str, run: int, kind: type[BaseException], meddling: bool
) -> None:
    """And the next plan counts what it counts without the one that broke."""
    runs = 0

    def broken(here: str) -> None:
        if here == place and (not here.startswith("step") or runs == run):
            if meddling:
                torch.set_default_dtype(torch.bfloat16)
                torch.set_default_device("meta")
                torch.manual_seed(7)
                torch.set_grad_enabled(False)
            raise kind("on purpose")

    def build_or_break() -> nn.Module:
        broken("build")
        return build()

    def spread(model: nn.Module, mesh: Any) -> nn.Module:
        broken("parallelize")
        return WAYS[way](model, mesh)

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        broken("optimizer")
        return torch.optim.SGD(parameters, lr=0.1)

    def step_or_break(model: nn.Module, updates: torch.optim.Optimizer) -> None:
        nonlocal runs
        runs += 1
        broken("step before")
        step(model)
        broken("step behind")

    before = process()
    expected = UsageError if issubclass(kind, Exception) else kind
    with pytest.raises(expected, match="on purpose"):
        plan(build_or_break, spread, step_or_break, {"dp": 2}, optimizer=optimizer)
    assert process() == before
    assert plan(build, None, step, {"dp": 2}).macs == MACS
    assert process() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"build": build()}, "build is a Sequential, not a function"),
        ({"build": None}, r"build is None, not a function; a plan calls it as build\(\)"),
        ({"build": lambda size: build()}, r"build\(size\) is called as build\(\)"),
        ({"parallelize": lambda model: model}, r"is called as parallelize\(model, mesh\)"),
        ({"step": None}, r"step is None, not a function; a plan calls it as step\(model\)"),
        (
            {"step": lambda model, updates: None},
            r"missing a required argument: 'updates'; it is given an optimizer where plan\(\) has",
        ),
        (
            {"optimizer": torch.optim.SGD},
            r"is called as step\(model, optimizer\).*too many positional",
        ),
        ({"load": {"moe": [1, 2]}}, r"is called as step\(model, load=load\).*unexpected keyword"),
        (
            {"step": lambda model, updates: None, "optimizer": lambda parameters: None},
            r"optimizer\(parameters\) returned None, not a torch.optim.Optimizer",
        ),
        (
            {"optimizer": torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)},
            "optimizer is a SGD, not a function",
        ),
    ],
)
def test_functions_that_cannot_be_called_are_named_before_anything_runs(
    arguments: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"build": build, "parallelize": None, "step": step, "mesh": {"dp": 2}}
    with pytest.raises(UsageError, match=message):
        plan(**given | arguments)


def objects(model: nn.Module) -> None:
    dist.all_gather_object([None, None], {"rank": dist.get_rank()})


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda model: model(torch.ones(4, 8)).sum().item(), "leave out what shows a loss"),
        pytest.param(
            lambda model: model(torch.ones(4, 8)).detach().numpy(),
            "leave out what shows a loss",
            marks=pytest.mark.skipif(find_spec("numpy") is None, reason="needs numpy"),
        ),
        (objects, "gathers objects"),
        (lambda model: model.to("cuda"), "all tensors are on the CPU"),
        (lambda model: model(torch.ones(4, 8, device="cuda")), "all tensors are on the CPU"),
        # Up to torch 2.9 the error behind it has no text.
        (lambda model: dist.destroy_process_group(), r"step\(model\) raised the second time"),
        (lambda model: dist.init_process_group("gloo"), "leave out init_process_group"),
        (lambda model: plan(build, None, step, {"dp": 2}), "is in a process group already"),
        (lambda model: dist.all_reduce("loss"), r"step\(model\) raised the first time: TypeError"),
    ],
)
def test_a_step_that_asks_for_more_than_a_plan_has_is_told_so(
    run: Callable[[Any], Any], message: str
) -> None:
    before = process()
    with pytest.raises(UsageError, match=message):
        plan(build, None, run, {"dp": 2})
    assert process() == before


def test_a_layout_that_does_not_fit_is_no_question_of_devices() -> None:
    """5 columns on each of the ranks meet 8 rows."""
    from torch.distributed.tensor.parallel import RowwiseParallel

    def spread(model: nn.Module, mesh: Any) -> nn.Module:
        return parallelize_module(model, mesh, {"0": ColwiseParallel(), "1": RowwiseParallel()})

    with pytest.raises(UsageError, match=r"step\(model\) raised") as caught:
        plan(build, spread, step, {"tp": 3})
    assert "on the CPU" not in str(caught.value)


def test_what_a_step_may_do() -> None:
    """Barriers, ranks, sums of tensors, objects from rank 0, and a real tensor as its input."""
    batch = torch.ones(4, 8)
    seen = []

    def run(model: nn.Module) -> None:
        seen.append((dist.get_rank(), dist.get_world_size()))
        dist.barrier()
        dist.all_reduce(torch.ones(3))
        dist.broadcast_object_list([{"step": 1}], src=1)
        model(batch).sum().backward()

    planned = plan(build, None, run, {"dp": 2}, rank=1)
    assert seen == [(1, 2), (1, 2)]
    assert planned.macs == MACS
    [sums] = [row for row in planned.by_collective() if row.op == "c10d.allreduce_"]
    assert (sums.calls, sums.payload_bytes, sums.wire_bytes) == (1, 12, 12)
    assert {row.op for row in planned.by_collective() if row.control} >= {"c10d.barrier"}
    assert batch.sum() == 32

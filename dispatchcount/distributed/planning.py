"""`plan`: one rank's step on a cluster that is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from dispatchcount.distributed import functions
from dispatchcount.distributed.cluster.ddp import wrapped_on_meta
from dispatchcount.distributed.cluster.defaults import made_on
from dispatchcount.distributed.cluster.fsdp import padding
from dispatchcount.distributed.cluster.rank import cluster
from dispatchcount.distributed.cluster.requirements import check
from dispatchcount.distributed.cluster.stand_in import stand_in
from dispatchcount.distributed.mesh import Mesh, mesh_of, rank_in
from dispatchcount.distributed.planned import Plan
from dispatchcount.errors import UsageError
from dispatchcount.profiler import profile
from dispatchcount.report_api import Report


def plan(
    build: Callable[[], nn.Module],
    parallelize: Callable[[nn.Module, Any], nn.Module] | None,
    step: Callable[..., Any],
    mesh: Mesh | Mapping[str, int] | str,
    rank: int = 0,
    *,
    optimizer: Callable[[Any], torch.optim.Optimizer] | None = None,
    load: Mapping[str, Sequence[int]] | None = None,
    samples: int | None = None,
    convention: str = "fvcore",
    labels: Mapping[str, str] | None = None,
) -> Plan:
    """What one rank of a cluster computes, stores and sends in a step of training.

        def parallelize(model, mesh):
            for layer in model.layers:
                fully_shard(layer, mesh=mesh["dp"])
            return fully_shard(model, mesh=mesh["dp"])

        def step(model):
            model(torch.zeros(1, 4096, dtype=torch.long)).float().mean().backward()

        plan = dispatchcount.distributed.plan(build, parallelize, step, mesh={"dp": 128})

    It runs in this process, needs no GPU, and allocates no tensor. torch's own code shards the
    model, for a process group whose collectives do nothing. Tensors have sizes and no values, as
    under a `FakeTensorMode`, and are on the CPU. The step runs twice. The first run does what is
    done once (FSDP's set-up, the optimizer's state), and the second is what the plan tells of.
    Gradients are dropped between the two.

    Args:
        build: returns the model. It is called with meta as the default device.
        parallelize: is given the model and torch's `DeviceMesh`, and returns the model as it is
            trained: sharded, wrapped, or one stage of a pipeline. None leaves it as it is.
        step: runs a step: it is given the model, and makes its own inputs on the CPU, of the sizes
            that one rank has. It may use `torch.distributed`.
        mesh: the number of ranks by dimension, the outermost first: ``{"dp": 128, "tp": 8}`` or
            ``"dp=128,tp=8"``.
        rank: the rank to be. Ranks differ in the stage of a pipeline that they run, and in uneven
            shards.
        optimizer: makes the optimizer from the parameters, ``torch.optim.AdamW``. The step is then
            called as ``step(model, optimizer)``, and the optimizer's state counts as memory for the
            whole step. An optimizer that the step makes is new in each run.
        load: tokens by expert for each layer of experts, which is what the plan assumes of routing.
            Where tokens go depends on values, so no plan can find it out. The step is given it as
            ``load=``, and the plan says that it was assumed.
        samples: how many sequences, images or tokens all ranks together work on in a step, by which
            `compare` sets plans side by side whose steps do not do the same work.
        convention: what a flop is; see `Report.with_convention`.
        labels: what to remember of the plan; see `dispatchcount.profile`.

    Raises:
        UsageError: an argument is wrong, the process is in a process group or under a fake mode,
            this torch lacks a part, or `build`, `parallelize` or `step` raised, whose error is the
            cause.
    """
    shape = mesh_of(mesh)
    rank_in(shape, rank)
    assumed = _assumed(load)
    if samples is not None and (type(samples) is not int or samples < 1):
        raise UsageError(
            f"samples is {samples!r}; give how many all ranks together work on in a step, an "
            "integer from 1 up"
        )
    functions.check(build, parallelize, step, optimizer, loaded=bool(assumed))
    check()
    with cluster(shape, rank) as device_mesh:
        with functions.said("build()"), made_on("meta"):
            model = functions.module(build(), "build()", "return the model")
        with functions.said("parallelize(model, mesh)"), wrapped_on_meta():
            if parallelize is not None:
                model = functions.module(
                    parallelize(model, device_mesh),
                    "parallelize(model, mesh)",
                    "return the model, also where it was changed in place",
                )
        planned = _run(model, step, optimizer, shape, rank, assumed, convention, labels)
    return replace(planned, samples=samples)


def _run(
    model: nn.Module,
    step: Callable[..., Any],
    optimizer: Callable[[Any], torch.optim.Optimizer] | None,
    mesh: Mesh,
    rank: int,
    load: tuple[tuple[str, tuple[int, ...]], ...],
    convention: str,
    labels: Mapping[str, str] | None,
) -> Plan:
    """Run the step twice on fake tensors, and tell of the second run."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        with functions.said("taking the model to fake tensors"):
            stand_in(model)
        given: list[Any] = [model]
        if optimizer is not None:
            with functions.said("optimizer(parameters)"):
                given.append(functions.optimizer(optimizer(model.parameters())))
        named = {"load": dict(load)} if load else {}
        called = functions.step_call(optimizer, loaded=bool(load))
        with functions.said(called, "the first time"):
            step(*given, **named)
        model.zero_grad(set_to_none=True)
        block = profile(
            model,
            memory=[given[1]] if optimizer is not None else True,
            convention=convention,
            labels=labels,
        )
        with functions.said(called, "the second time"), block:
            step(*given, **named)
        return Plan(
            mesh=mesh,
            rank=rank,
            report=_with_dimensions(block.report, mesh, rank),
            padding=tuple(padding(model)),
            load=load,
        )


def _with_dimensions(report: Report, mesh: Mesh, rank: int) -> Report:
    """The report, whose groups that are a dimension of the mesh bear its name.

    For a mesh with one dimension torch takes the group of all ranks, which is not named so.
    """
    dimensions = {mesh.along(name, rank): name for name in reversed(mesh.names)}
    groups = tuple(
        replace(group, dimension=group.dimension or dimensions.get(group.ranks, ""))
        for group in report.groups
    )
    return replace(report, groups=groups)


def _assumed(
    load: Mapping[str, Sequence[int]] | None,
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The assumed load as rows.

    Raises:
        UsageError: it is no mapping from names to numbers of tokens.
    """
    rows = []
    for name, tokens in (load or {}).items() if isinstance(load or {}, Mapping) else [("", load)]:
        numbers = tuple(tokens) if isinstance(tokens, Sequence) else ()
        good = all(type(number) is int and number >= 0 for number in numbers)
        if not isinstance(name, str) or not name or not numbers or not good:
            raise UsageError(
                f"load={load!r} is not understood; give the tokens of each expert for every layer "
                "of experts: load={'layers.0.moe': [64, 64, 80, 48]}"
            )
        rows.append((name, numbers))
    return tuple(rows)

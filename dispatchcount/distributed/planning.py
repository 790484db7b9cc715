"""`plan`: one rank's step on a cluster that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from dispatchcount.distributed.cluster.ddp import wrapped_on_meta
from dispatchcount.distributed.cluster.defaults import made_on
from dispatchcount.distributed.cluster.fsdp import padding
from dispatchcount.distributed.cluster.rank import cluster
from dispatchcount.distributed.cluster.requirements import check
from dispatchcount.distributed.cluster.stand_in import stand_in
from dispatchcount.distributed.cluster.values import asks_for_values
from dispatchcount.distributed.mesh import Mesh, mesh_of, rank_in
from dispatchcount.distributed.planned import Plan
from dispatchcount.errors import UsageError, described
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
    check()
    with cluster(shape, rank) as device_mesh:
        with _said("build()"), made_on("meta"):
            model = _module(build(), "build()", "return the model")
        with _said("parallelize(model, mesh)"), wrapped_on_meta():
            if parallelize is not None:
                model = _module(
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
        with _said("taking the model to fake tensors"):
            stand_in(model)
        given: list[Any] = [model]
        if optimizer is not None:
            with _said("optimizer(parameters)"):
                given.append(optimizer(model.parameters()))
        named = {"load": dict(load)} if load else {}
        with _said("step(model)", "the first time"):
            step(*given, **named)
        model.zero_grad(set_to_none=True)
        block = profile(
            model,
            memory=[given[1]] if optimizer is not None else True,
            convention=convention,
            labels=labels,
        )
        with _said("step(model)", "the second time"), block:
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


def _module(value: Any, what: str, expected: str) -> nn.Module:
    """`value`, if it is a module.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, nn.Module):
        got = "None" if value is None else f"a {type(value).__name__}"
        raise UsageError(f"{what} returned {got}, not a torch.nn.Module; it must {expected}")
    return value


@contextmanager
def _said(what: str, when: str = "") -> Iterator[None]:
    """Say which of the user's functions raised, and what values have to do with it.

    Raises:
        UsageError: something was raised inside, which is its cause.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        raised = f"{what} raised {when}".rstrip()
        said = described(error).rstrip(".")
        raise UsageError(f"{raised}: {said}{_hint(error)}") from error


def _hint(error: BaseException) -> str:
    """What to do about an error that comes of planning; ``""`` for any other."""
    if asks_for_values(error):
        return (
            ". It read a value out of a tensor, and in a plan tensors have none. Where the value "
            "says how tokens are routed, give what is assumed of it as load="
        )
    if "device" in str(error):
        return ". In a plan all tensors are on the CPU: move none to another device"
    return ""


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

"""Where work may hide on a GPU, or be done otherwise: Triton, graphs, the compiler, NCCL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import dispatchcount as dc
from gpu.check import check


@check(on_host=False)
def triton_by_hand(place: torch.device) -> Iterator[tuple[str, bool]]:
    """A kernel of Triton that is launched by hand is named, and one that is declared is counted."""
    from gpu.triton_kernel import add

    x, y = torch.ones(2, 4096, device=place)
    with dc.profile() as prof:
        out = torch.empty_like(x)
        add[4,](x, y, out, 4096, BLOCK=1024)
        out.sum()
    statuses = [issue.status for issue in prof.report.issues]
    yield f"of a kernel that nobody declared the report says {statuses}", statuses == ["unseen"]
    with dc.profile() as prof:
        out = torch.empty_like(x)
        with dc.kernel("add", cost=4096):
            add[4,](x, y, out, 4096, BLOCK=1024)
        out.sum()
    report = prof.report
    yield (
        f"declared: {report.macs:,} MACs, {len(report.issues)} issues",
        report.macs == 4096 and not report.issues,
    )


@check(on_host=False)
def graphs(place: torch.device) -> Iterator[tuple[str, bool]]:
    """A CUDA graph that is captured inside a block is counted once, and is a good graph.

    A replay dispatches nothing, so nothing of it is counted.
    """
    net = nn.Linear(64, 64, device=place)
    x = torch.randn(8, 64, device=place)
    other = torch.cuda.Stream()
    other.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(other):
        net(x)  # graphs want a run on another stream before they are captured
    torch.cuda.current_stream().wait_stream(other)
    for options in ({}, {"time": True, "memory": True}):
        graph = torch.cuda.CUDAGraph()
        with torch.no_grad():
            with dc.profile(net, **options) as prof, torch.cuda.graph(graph):
                out = net(x)
            with dc.profile(net) as again:
                graph.replay()
            right = torch.allclose(out, net(x), atol=1e-4)
        yield (
            f"captured with {options}: {prof.report.macs:,} MACs, replayed: {again.report.macs:,}",
            prof.report.macs == 8 * 64 * 64 and again.report.macs == 0 and right,
        )


@check(on_host=False)
def compiled(place: torch.device) -> Iterator[tuple[str, bool]]:
    """A compiled net counts as the eager one, and runs compiled again afterwards."""
    net = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.LayerNorm(128), nn.Linear(128, 8))
    net.to(place)
    x = torch.randn(32, 64, device=place)
    with dc.profile(net) as prof:
        net(x)
    eager = prof.report
    for mode in ("default", "reduce-overhead"):
        fast: Any = torch.compile(net, mode=mode)
        for _ in range(3):
            before = fast(x).clone()
        with dc.profile(net) as prof:
            fast(x)
        same = torch.equal(before, fast(x))
        report = prof.report
        yield (
            f"{mode}: {report.macs:,} MACs and {report.flops:,} flops",
            (report.macs, report.flops) == (eager.macs, eager.flops) and same,
        )


@check(on_host=False)
def nccl(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Training in a group of one under NCCL has the figures and collectives that gloo gives."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")
    found: dict[str, list[Any]] = {}
    for backend, kind in (("gloo", "cpu"), ("nccl", place.type)):
        dist.init_process_group(backend, rank=0, world_size=1)
        try:
            found[backend] = [_distributed_step(wrap, kind) for wrap in (_replicated, _sharded)]
        finally:
            dist.destroy_process_group()
    for name, on_host, there in zip(("DDP", "FSDP2"), found["gloo"], found["nccl"], strict=True):
        yield f"{name}: {there}", on_host == there


def _replicated(net: nn.Sequential, kind: str) -> nn.Module:
    return DistributedDataParallel(net)


def _sharded(net: nn.Sequential, kind: str) -> nn.Module:
    mesh = dist.device_mesh.init_device_mesh(kind, (1,))
    for layer in (net[0], net[2]):
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def _distributed_step(wrap: Any, kind: str) -> tuple[int, list[tuple[str, int, int]]]:
    """MACs of the second step, and each collective with its calls and payload."""
    net = wrap(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8)).to(kind), kind)
    optimizer = torch.optim.AdamW(net.parameters(), foreach=False)
    for _ in range(2):
        with dc.profile(net) as prof:
            net(torch.ones(4, 64, device=kind)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    rows = prof.report.by_collective()
    return prof.report.macs, [(row.op, row.calls, row.payload_bytes) for row in rows]

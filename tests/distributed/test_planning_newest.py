"""Plans of what torch 2.14 can do without values and torch 2.13 cannot.

That one's stages of pipelines always exchange metadata through the process group, and its hook for
bfloat16 asks for CUDA. So this file runs
in the lane with the newest torch alone.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.nn.parallel import DistributedDataParallel

from dispatchcount.distributed import plan
from tests.distributed.test_planning import sent, small


def test_ddp_accumulates_and_takes_hooks_and_groups() -> None:
    def parallelize(model: nn.Module, mesh: Any) -> nn.Module:
        wrapper = DistributedDataParallel(model, process_group=mesh["dp"].get_group())
        wrapper.register_comm_hook(None, bf16_compress_hook)
        return wrapper

    def own(model: nn.Module, mesh: Any) -> nn.Module:
        return DistributedDataParallel(model, process_group=mesh["dp"].get_group())

    def thrice(model: Any, optimizer: torch.optim.Optimizer) -> None:
        with model.no_sync():
            model(torch.zeros(2, 16, dtype=torch.long)).mean().backward()
        for _ in range(2):
            model(torch.zeros(2, 16, dtype=torch.long)).mean().backward()
        optimizer.step()

    (row,) = small(parallelize, {"dp": 2}).by_collective()
    assert row.payload_bytes == 2 * 94_528
    (row,) = small(own, {"other": 3, "dp": 2}, 3, thrice).by_collective()
    assert (row.calls, row.payload_bytes, row.group.ranks) == (2, 2 * 378_112, (2, 3))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_stage_of_a_pipeline(rank: int) -> None:
    """torch's own schedule runs, if its stages are told the shapes that pass between them."""
    from torch.distributed.pipelining import PipelineStage, Schedule1F1B

    groups = []

    def parallelize(model: Any, mesh: Any) -> nn.Module:
        groups.append(mesh.get_group("pp"))
        return model[mesh.get_local_rank("pp")]

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))

    def run(model: nn.Module) -> None:
        example = torch.empty(2, 8, requires_grad=True)
        stage = PipelineStage(
            model, rank, 2, torch.device("cpu"), example, example, group=groups[-1]
        )
        schedule = Schedule1F1B(stage, 4, loss_fn=lambda out, target: (out - target).sum())
        schedule.step(*[torch.empty(8, 8)] * (rank == 0), target=torch.empty(8, 8))

    planned = plan(build, parallelize, run, {"pp": 2}, rank)
    one = 2 * 8 * 8
    phases = planned.report.by_phase()
    assert phases["forward"].macs == 4 * one
    assert phases["backward"].macs == 4 * one * (1 + rank)  # the first stage has no input gradient
    assert sent(planned) == {("send", "pp"): (4, 4 * 64), ("recv_", "pp"): (4, 4 * 64)}

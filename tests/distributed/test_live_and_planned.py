"""A plan has the integers of a run on real ranks: MACs, calls and bytes, for each way and rank."""

from __future__ import annotations

import pytest

import dispatchcount as dc
from dispatchcount.distributed import Plan, plan
from tests.distributed.conftest import Runs
from tests.distributed.decoder import PARAMETERS, STEP, Decoder, step
from tests.distributed.spread import adamw
from tests.distributed.ways import ways

Sent = dict[tuple[str, tuple[int, ...]], tuple[int, int, int]]
"""Calls, payload and wire bytes by operator and the ranks of the group."""


def sent(report: dc.Report) -> Sent:
    """What a report says was sent of the model's data."""
    return {
        (row.op, row.group.ranks): (row.calls, row.payload_bytes, row.wire_bytes)
        for row in report.by_collective()
        if not row.control
    }


def macs(report: dc.Report) -> dict[str, int]:
    """The MACs of each phase."""
    return {phase: stats.macs for phase, stats in report.by_phase().items()}


def planned(name: str, ranks: int, rank: int) -> Plan:
    """The plan of a step of the decoder that is spread in the way of that name."""
    way = ways(ranks, real=True)[name]
    return plan(Decoder, way.spread, step, way.mesh(ranks), rank, optimizer=adamw)


def test_a_plan_has_the_integers_of_real_ranks(both: Runs) -> None:
    for rank, measured in enumerate(both.real):
        for name in measured:
            if name == "fsdp1":  # plans are for its successor
                continue
            on_gloo = dc.Report.from_json(measured[name].report)
            on_no_cluster = planned(name, both.ranks, rank).report
            assert sent(on_no_cluster) == sent(on_gloo), name
            assert macs(on_no_cluster) == macs(on_gloo), name


@pytest.mark.parametrize("both", [4], indirect=True)
def test_a_mesh_of_replicas_and_shards(both: Runs) -> None:
    """4 ranks in 2 replicas of 2 shards: what each rank computes, holds and sends."""
    layers, whole = 4 * 2 * (PARAMETERS - 2 * 96 * 64 - 64) // 2, 4 * PARAMETERS
    for rank, measured in enumerate(both.real):
        live = dc.Report.from_json(measured["hsdp"].report)
        shards, replicas = ((0, 1), (2, 3))[rank // 2], ((0, 2), (1, 3))[rank % 2]
        for report in (live, planned("hsdp", 4, rank).report):
            assert report.macs == STEP
            assert (report.params, report.local_params) == (PARAMETERS, PARAMETERS // 2)
            # Shards are gathered among two ranks, layers twice, and their gradients reduced there;
            # then the gradients of a shard, half of all, are summed with the other replica's.
            assert sent(report) == {
                ("c10d._allgather_base_", shards): (5, whole + layers, (whole + layers) // 2),
                ("c10d._reduce_scatter_base_", shards): (3, whole, whole // 2),
                ("c10d.allreduce_", replicas): (3, whole // 2, whole // 2),
            }

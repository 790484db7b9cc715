"""Process groups among the operands of a collective: in keys, and as torch itself finds them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch.distributed._tools.fake_collectives import CollectiveOp, collective_ops, sync_ops
from torch.distributed.tensor import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

import dispatchcount as dc
from dispatchcount.capture.groups import Groups
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.plan import Plan
from dispatchcount.rules.core.group import Group
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.traffic import BARRIER, COLLECTIVES


@pytest.fixture(autouse=True)
def eight() -> Iterator[None]:
    """A fake group of eight ranks."""
    dist.init_process_group("fake", rank=0, world_size=8, store=FakeStore())
    yield
    dist.destroy_process_group()


def test_torch_finds_the_same_group_and_payload_among_the_operands() -> None:
    """torch's own list of which argument is the group, for each operator that is on it."""
    where = {
        1: CollectiveOp.PG_ARG_1,
        2: CollectiveOp.PG_ARG_2 | CollectiveOp.PG_ARG_3,
        3: CollectiveOp.PG_ARG_4,
        4: CollectiveOp.PG_ARG_5,
    }
    for place, ops in where.items():
        for op in ops:
            if op not in sync_ops:
                plan = Plan(op, RULES)
                assert (plan.collective, plan.group) == (True, place), op
    listed = {op.name().partition(".")[0] for op in collective_ops - sync_ops}
    assert listed <= set(COLLECTIVES)
    assert Plan(torch.ops.c10d.barrier.default, RULES).collective
    assert COLLECTIVES["c10d::barrier"].pattern is BARRIER


def described(value: object, *roots: torch.nn.Module) -> Group | None:
    """What a block over these modules says of a group."""
    return Groups(Modules([(None, root) for root in roots], closed=False)).describe(value)


def test_a_group_is_described_by_name_or_by_itself() -> None:
    pair = dist.new_group([0, 5])
    group = Group(pair.group_name, (0, 5))
    assert described(pair) == described(pair.group_name) == described(pair.boxed()) == group
    assert described(None) is None
    assert described("gone") == Group("gone")


def test_dimensions_of_meshes() -> None:
    mesh = init_device_mesh("cpu", (2, 4), mesh_dim_names=("dp", "tp"))
    assert described(mesh.get_group("dp")) == Group(mesh.get_group("dp").group_name, (0, 4), "dp")
    tp = described(mesh.get_group("tp"))
    assert tp is not None
    assert (tp.ranks, tp.dimension) == ((0, 1, 2, 3), "tp")
    both = mesh["dp", "tp"]._flatten("all")
    assert described(both.get_group()) == Group("0", tuple(range(8)))


def test_a_mesh_over_all_ranks_takes_the_group_of_the_world() -> None:
    """torch makes no group for it, so that only what lies on the mesh tells the dimension."""
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (8,), mesh_dim_names=("shard",))
    model = fully_shard(torch.nn.Linear(16, 16), mesh=mesh)
    assert described(dist.group.WORLD, model) == Group("0", tuple(range(8)), "shard")
    assert described(dist.group.WORLD) == Group("0", tuple(range(8)))


def test_equal_groups_are_one_signature_and_others_are_not() -> None:
    x, first, second = torch.ones(4), dist.new_group([0, 1]), dist.new_group([0, 1])
    other = dist.new_group([0, 3])
    with dc.profile() as prof:
        for group in (first, first, second, other):
            dist.all_reduce(x, group=group)
    rows = [(row.group.name, row.group.ranks, row.calls) for row in prof.report.by_collective()]
    assert sorted(rows) == sorted(
        [
            (first.group_name, (0, 1), 2),
            (second.group_name, (0, 1), 1),
            (other.group_name, (0, 3), 1),
        ]
    )


def test_a_group_that_torch_does_not_know_fails_by_name() -> None:
    """On meta tensors functional collectives do not look for their group."""
    with dc.profile() as prof:
        torch.ops._c10d_functional.all_reduce(torch.ones(4, device="meta"), "sum", "gone")
    issue = prof.report.failed_ops["_c10d_functional.all_reduce"]
    assert "process group 'gone'" in issue.message

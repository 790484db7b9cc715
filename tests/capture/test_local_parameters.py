"""Parameters of a wrapped model are those of the model, and each rank says which part it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

import dispatchcount as dc
from dispatchcount.report.parameter_totals import own_parameters
from tests.capture.test_subclasses import newer

pytestmark = pytest.mark.torch_alone

RANKS = 4


@pytest.fixture
def mesh() -> Iterator[Any]:
    """The last of four ranks, none of which talks to another."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=RANKS - 1, world_size=RANKS)
    yield init_device_mesh("cpu", (RANKS,))
    dist.destroy_process_group()


class Net(nn.Module):
    """9 rows over 4 ranks are 3, 3, 3 and 0; 5 are 2, 2, 1 and 0."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(6, 9)
        self.last = nn.Linear(9, 5, bias=False)
        self.tied = nn.Linear(9, 5, bias=False)
        self.tied.weight = self.last.weight
        self.frozen = nn.Linear(5, 4)
        self.frozen.bias.requires_grad = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.frozen(self.last(self.wide(x)))
        return out


WHOLE = {"": 0, "wide": 63, "last": 45, "tied": 0, "frozen": 24}
"""6·9 + 9 = 63, 9·5 = 45 and 5·4 + 4 = 24."""


def modules(model: nn.Module) -> dict[str, tuple[int, int]]:
    """The elements that each module has, and those of them that this rank holds."""
    with dc.profile(model) as prof:
        pass
    report = dc.Report.from_json(prof.report.to_json())
    assert report == prof.report
    assert report.params == sum(WHOLE.values())
    held = {m.name: own_parameters(m) for m in report.modules[1:]}
    assert report.local_params == sum(row.local_params for row in held.values())
    return {name: (row.params, row.local_params) for name, row in held.items()}


def test_a_plain_model_is_held_whole() -> None:
    assert modules(Net()) == {name: (whole, whole) for name, whole in WHOLE.items()}
    with dc.profile(Net()) as prof:
        pass
    assert "this rank holds" not in str(prof.report)


def test_fully_sharded_parameters(mesh: Any) -> None:
    from torch.distributed.fsdp import fully_shard

    net = Net()
    fully_shard(net, mesh=mesh)
    # The last of four ranks holds no row of 9 or 5, and one row of 4 with its bias: 5 + 1.
    assert modules(net) == {
        "": (0, 0), "wide": (63, 0), "last": (45, 0), "tied": (0, 0), "frozen": (24, 6),
    }  # fmt: skip
    with dc.profile(net) as prof:
        pass
    assert "; this rank holds 6\n" in str(prof.report)
    assert prof.report.meta.model == "Net"


def test_tensor_parallel_and_replicated_parameters(mesh: Any) -> None:
    from torch.distributed.tensor import Replicate, distribute_module, distribute_tensor
    from torch.distributed.tensor.parallel import RowwiseParallel, parallelize_module

    net = Net()
    parallelize_module(net, mesh, {"frozen": RowwiseParallel()})
    distribute_module(net.wide, mesh)  # on every rank the same
    assert isinstance(net.wide.weight, type(distribute_tensor(torch.ones(1), mesh, [Replicate()])))
    # 5 columns over 4 ranks are 2, 2, 1 and 0. The bias is on every rank.
    assert modules(net)["frozen"] == (24, 4)
    assert modules(net)["wide"] == (63, 63)


@pytest.mark.parametrize("views", [False, True])
def test_flat_parameters_of_the_first_fsdp(mesh: Any, views: bool) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    net: Any = Net()
    net.frozen.bias.requires_grad = True
    options: dict[str, Any] = {"device_id": torch.device("cpu"), "use_orig_params": views}
    net.wide = FullyShardedDataParallel(net.wide, **options)
    held = modules(FullyShardedDataParallel(net, **options))
    # 63 are padded to 64, of which the last rank has 15. The root's 45 + 24 = 69 are padded to 72,
    # of which the last rank has the last 15, all in the last module.
    assert {name: whole for name, (whole, _) in held.items()} == WHOLE
    if not views:  # there is padding between parameters otherwise, which depends on torch
        assert held["wide"] == (63, 15)
        assert (held["last"], held["frozen"]) == ((45, 0), (24, 15))
    assert sum(local for _, local in held.values()) < 63


@newer
def test_names_and_shapes_of_flat_parameters(mesh: Any) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    def rows(model: nn.Module) -> list[tuple[Any, ...]]:
        with dc.profile(model) as prof:
            pass
        return [
            (p.name, p.shape, p.numel, p.tied_to) for m in prof.report.modules for p in m.parameters
        ]

    net = Net()
    net.frozen.bias.requires_grad = True
    plain = rows(net)
    assert rows(FullyShardedDataParallel(net, device_id=torch.device("cpu"))) == plain

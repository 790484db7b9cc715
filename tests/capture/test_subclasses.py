"""Tensor subclasses are counted once, at the level of the plain tensors inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.utils import _pytree as pytree

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
newer = pytest.mark.skipif(
    TORCH < (2, 8), reason="torch 2.6 raises of itself: its fake process group has no CPU streams"
)


class Wrapper(torch.Tensor):
    """Holds a tensor; takes every call apart."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Any:
        self = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=inner.device
        )
        self.inner = inner
        return self

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = pytree.tree_map_only(Wrapper, lambda w: w.inner, (args, kwargs or {}))
        return pytree.tree_map_only(torch.Tensor, Wrapper, func(*args, **kwargs))


class Loud(torch.Tensor):
    """A tensor itself, whose dispatch turns dispatch off: nothing comes back to a mode."""

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return super().__torch_dispatch__(func, types, args, kwargs or {})


class Named(torch.Tensor):
    """A subclass at the Python level only."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return super().__torch_function__(func, types, args, kwargs or {})


def macs(call: Any) -> int:
    with dc.profile() as prof:
        call()
    prof.report.self_check()
    assert not prof.report.unknown_ops
    assert not prof.report.failed_ops
    return prof.report.macs


@pytest.mark.parametrize("kind", [Wrapper, Loud, Named])
def test_a_product_of_subclasses_counts_once(kind: Any) -> None:
    x = torch.rand(4, 8)
    wrapped = kind(x) if kind is Wrapper else x.as_subclass(kind)
    assert macs(lambda: wrapped @ torch.rand(8, 16)) == 4 * 8 * 16
    assert macs(lambda: F.linear(wrapped, torch.rand(16, 8), torch.rand(16))) == 4 * 8 * 16
    with torch.no_grad():
        assert macs(lambda: F.linear(wrapped, torch.rand(16, 8))) == 4 * 8 * 16


def test_nested_tensors_count_their_real_lengths() -> None:
    parts = [torch.rand(3, 8), torch.rand(5, 8)]
    layer = nn.Linear(8, 16)
    for layout in (torch.jagged, torch.strided):
        nested = torch.nested.nested_tensor(parts, layout=layout)
        assert macs(lambda nested=nested: layer(nested)) == (3 + 5) * 8 * 16
    q = torch.nested.nested_tensor(
        [torch.rand(3, 2, 8), torch.rand(5, 2, 8)], layout=torch.jagged
    ).transpose(1, 2)
    assert macs(lambda: F.scaled_dot_product_attention(q, q, q)) == (3 * 3 + 5 * 5) * 2 * 8 * 2


def test_masked_and_sparse_tensors() -> None:
    from torch.masked import masked_tensor

    x = torch.rand(4, 8)
    masked = masked_tensor(x, x > 0.5)
    with dc.profile() as prof:
        masked + masked
    assert prof.report.arithmetic >= 4 * 8
    sparse = torch.eye(8).to_sparse()
    assert macs(lambda: sparse @ torch.rand(8, 5)) == 8 * 5
    assert macs(lambda: torch.eye(8).to_sparse_csr() @ torch.rand(8, 5)) == 8 * 5


@pytest.fixture
def mesh() -> Iterator[Any]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=4)
    yield init_device_mesh("cpu", (4,))
    dist.destroy_process_group()


def test_a_sharded_product_counts_this_ranks_share(mesh: Any) -> None:
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    x = distribute_tensor(torch.rand(8, 16), mesh, [Replicate()])
    w = distribute_tensor(torch.rand(16, 32), mesh, [Shard(1)])
    for _ in range(2):  # the first call also works out shapes, on fake tensors
        assert macs(lambda: x @ w) == 8 * 16 * (32 // 4)


@newer
def test_tensor_parallel_training_step(mesh: Any) -> None:
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    parallelize_module(model, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    with dc.profile(model) as prof:
        model(torch.rand(8, 16)).sum().backward()
    product = 8 * 16 * (32 // 4)
    phases = {name: row.macs for name, row in prof.report.by_phase().items()}
    assert phases == {"forward": 2 * product, "backward": 3 * product}  # no gradient of the input
    assert prof.report.by_module()["2"].macs == 3 * product
    assert not prof.report.unknown_ops
    assert any(op.startswith("_c10d_functional") for op in prof.report.by_operator())


@newer
def test_fully_sharded_step_raises_no_false_alarm(mesh: Any) -> None:
    from torch.distributed.fsdp import fully_shard

    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    for layer in (model[0], model[2], model):
        fully_shard(layer, mesh=mesh)
    with dc.profile(model) as prof:
        model(torch.rand(8, 16)).sum().backward()
    product = 8 * 16 * 32
    assert {name: row.macs for name, row in prof.report.by_phase().items()} == {
        "forward": 2 * product,
        "backward": 3 * product,
    }
    assert not prof.report.unknown_ops
    assert prof.report.by_operator()["c10d._allgather_base_"].bytes_written > 0

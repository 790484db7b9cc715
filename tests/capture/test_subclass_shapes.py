"""What a wrapper subclass runs to find out shapes is not work, whatever it holds and whatever it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])


class Prober(Tensor):
    """Holds a tensor. Before its first call of an operator it tries the operator on stand-ins, as DTensor does."""

    inner: Tensor
    how = "fake"
    known: ClassVar[set[Any]] = set()

    @staticmethod
    def __new__(cls, inner: Tensor) -> Any:
        self = Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=inner.device
        )
        self.inner = inner
        return self

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(
        inner: dict[str, Tensor], context: None, size: Any, stride: Any
    ) -> Any:
        return Prober(inner["inner"])

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in cls.known:
            cls.known.add(func)
            device = "meta" if cls.how == "meta" else "cpu"
            ambient = torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE)
            with nullcontext() if cls.how == "meta" else ambient or FakeTensorMode():
                stand_ins = pytree.tree_map_only(
                    Prober, lambda w: torch.empty_strided(w.shape, w.stride(), device=device), args
                )
                func(*stand_ins, **kwargs)
        args, kwargs = pytree.tree_map_only(Prober, lambda w: w.inner, (args, kwargs))
        return pytree.tree_map_only(Tensor, Prober, func(*args, **kwargs))


def counted(call: Any) -> dict[str, tuple[int, int, int]]:
    with dc.profile() as prof:
        call()
    return {
        name: (stats.calls, stats.macs, stats.bytes_written)
        for name, stats in prof.report.by_operator().items()
    }


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("how", ["fake", "meta"])
@pytest.mark.parametrize("holds", ["cpu", "meta", "fake"])
def test_a_call_counts_the_same_cold_and_warm(holds: str, how: str, inference: bool) -> None:
    Prober.how = how
    Prober.known.clear()
    fake = FakeTensorMode() if holds == "fake" else nullcontext()
    with fake, torch.inference_mode(inference):
        device = "meta" if holds == "meta" else "cpu"
        a, b = Prober(torch.empty(4, 8, device=device)), Prober(torch.empty(8, 16, device=device))

        def call() -> None:
            torch.relu(a @ b) + 1

        cold, warm = counted(call), counted(call)
    cold.pop("prim.device", None), warm.pop("prim.device", None)
    assert cold == warm
    assert warm["aten.mm"] == (1, 4 * 8 * 16, 4 * 16 * 4)
    assert warm["aten.relu"] == (1, 0, 4 * 16 * 4)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Any]:
    from torch.distributed.tensor import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    yield init_device_mesh("cpu", (2,))
    dist.destroy_process_group()


@pytest.mark.skipif(
    TORCH < (2, 8), reason="torch 2.6 raises of itself: its fake process group has no CPU streams"
)
@pytest.mark.parametrize("ambient", [False, True])
def test_a_sharded_product_is_the_local_one(mesh: Any, ambient: bool) -> None:
    from torch.distributed.tensor import DTensor, Replicate, Shard

    rows = 4 if ambient else 6  # other sizes, which torch has not propagated yet
    with FakeTensorMode(allow_non_fake_inputs=True) if ambient else nullcontext():
        a = DTensor.from_local(torch.empty(rows, 8), mesh, [Shard(0)])
        b = DTensor.from_local(torch.empty(8, 16), mesh, [Replicate()])
        cold, warm = counted(lambda: torch.relu(a @ b)), counted(lambda: torch.relu(a @ b))
    cold.pop("prim.device", None), warm.pop("prim.device", None)
    assert (
        cold
        == warm
        == {"aten.mm": (1, rows * 8 * 16, rows * 16 * 4), "aten.relu": (1, 0, rows * 16 * 4)}
    )

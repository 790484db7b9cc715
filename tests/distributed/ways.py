"""The ways to spread the decoder over ranks that the tests run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecisionPolicy, fully_shard
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

from tests.distributed.decoder import Decoder, Layer, step
from tests.distributed.spread import adamw

Spread = Callable[[Any, DeviceMesh], nn.Module]
"""Spreads a decoder over a mesh."""


class Way(NamedTuple):
    """A way to spread a decoder over all ranks.

    Attributes:
        spread: does it.
        sizes: of the dimensions of the mesh; -1 stands for what the others leave.
    """

    spread: Spread
    sizes: dict[str, int]

    def mesh(self, ranks: int) -> dict[str, int]:
        """The sizes of the dimensions for so many ranks."""
        left = ranks
        for size in self.sizes.values():
            left //= max(size, 1)
        return {name: left if size == -1 else size for name, size in self.sizes.items()}

    def made(self) -> nn.Module:
        """A decoder that is spread over the ranks of the process's group."""
        sizes = self.mesh(dist.get_world_size())
        mesh = init_device_mesh("cpu", tuple(sizes.values()), mesh_dim_names=tuple(sizes))
        return self.spread(Decoder(), mesh)


def fsdp2(model: Any, mesh: DeviceMesh, *, checkpoint: bool = False, **options: Any) -> nn.Module:
    """Each layer and the rest sharded on their own."""
    for place, layer in enumerate(model.layers):
        if checkpoint:
            model.layers[place] = layer = checkpoint_wrapper(layer)
        fully_shard(layer, mesh=mesh, **options)
    return fully_shard(model, mesh=mesh, **options)


def fsdp1(model: Any, mesh: DeviceMesh) -> nn.Module:
    """The same by the older wrapper."""
    return FullyShardedDataParallel(
        model,
        auto_wrap_policy=ModuleWrapPolicy({Layer}),
        device_id=torch.device("cpu"),
        process_group=mesh.get_group(),
    )


def replicated(model: Any, mesh: DeviceMesh) -> nn.Module:
    """A whole model on each rank, whose gradients are averaged."""
    return DistributedDataParallel(model, process_group=mesh.get_group())


def tensor_parallel(model: Any, mesh: DeviceMesh) -> nn.Module:
    """Plain `parallelize_module`: columns first, then rows."""
    plan: dict[str, Any] = {
        "embed": RowwiseParallel(input_layouts=Replicate()),
        "head": ColwiseParallel(output_layouts=Replicate()),
    }
    for place in range(len(model.layers)):
        for name in ("attend.query", "attend.key", "attend.value", "gated.gate", "gated.up"):
            plan[f"layers.{place}.{name}"] = ColwiseParallel()
        for name in ("attend.merge", "gated.down"):
            plan[f"layers.{place}.{name}"] = RowwiseParallel()
    return parallelize_module(model, mesh, plan)


def sequence_parallel(model: Any, mesh: DeviceMesh) -> nn.Module:
    """Norms work on a share of the tokens."""
    gathered = partial(
        PrepareModuleInput,
        input_layouts=(Shard(1),),
        desired_input_layouts=(Replicate(),),
    )
    plan: dict[str, Any] = {
        "embed": RowwiseParallel(input_layouts=Replicate(), output_layouts=Shard(1)),
        "last": SequenceParallel(),
        "head": ColwiseParallel(input_layouts=Shard(1), output_layouts=Replicate()),
    }
    for place in range(len(model.layers)):
        for name in ("before", "between"):
            plan[f"layers.{place}.{name}"] = SequenceParallel()
        for name in ("attend", "gated"):
            plan[f"layers.{place}.{name}"] = gathered()
        for name in ("attend.query", "attend.key", "attend.value", "gated.gate", "gated.up"):
            plan[f"layers.{place}.{name}"] = ColwiseParallel()
        for name in ("attend.merge", "gated.down"):
            plan[f"layers.{place}.{name}"] = RowwiseParallel(output_layouts=Shard(1))
    return parallelize_module(model, mesh, plan)


def sharded_and_sequence_parallel(model: Any, mesh: DeviceMesh) -> nn.Module:
    """FSDP2 over one dimension of the mesh, tensor parallelism over the other."""
    return fsdp2(sequence_parallel(model, mesh["tp"]), mesh["dp"])


HALF = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)

SHARDED, SHARDED_BY_WRAPPER = Way(fsdp2, {"dp": -1}), Way(fsdp1, {"dp": -1})
TENSOR, SEQUENCE = Way(tensor_parallel, {"tp": -1}), Way(sequence_parallel, {"tp": -1})

WAYS: dict[str, Way] = {
    "fsdp2": SHARDED,
    "fsdp1": SHARDED_BY_WRAPPER,
    "tp": TENSOR,
    "sp": SEQUENCE,
}
"""Ways that any number of ranks can go."""

WAYS_OF_TWO: dict[str, Way] = {
    "fsdp2 in bfloat16": Way(partial(fsdp2, mp_policy=HALF), {"dp": -1}),
    "fsdp2 checkpointed": Way(partial(fsdp2, checkpoint=True), {"dp": -1}),
}
"""Ways that are tried on two ranks, for more would show nothing more."""

WAYS_OF_FOUR: dict[str, Way] = {
    "hsdp": Way(fsdp2, {"replicate": 2, "shard": 2}),
    "fsdp2 x sp": Way(sharded_and_sequence_parallel, {"dp": -1, "tp": 2}),
}
"""Ways for four ranks."""


WAYS_OF_REAL_RANKS: dict[str, Way] = {"ddp": Way(replicated, {"dp": -1})}
"""Ways that need real ranks: torch's replicated training fails on the fake group."""


def ways(ranks: int, *, real: bool) -> dict[str, Way]:
    """The ways that are tried on so many ranks."""
    found = WAYS | (WAYS_OF_FOUR if ranks == 4 else WAYS_OF_TWO)
    return found | WAYS_OF_REAL_RANKS if real else found


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW, one parameter at a time."""
    return adamw(model.parameters())


def prepared(way: Way) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model after two steps, in which torch prepares much."""
    torch.manual_seed(0)
    model = way.made()
    optimizer = optimizer_of(model)
    for _ in range(2):
        step(model, optimizer)
    return model, optimizer

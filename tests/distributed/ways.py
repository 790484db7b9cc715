"""The ways to spread the decoder over ranks that the tests run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

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

from tests.distributed.decoder import Decoder, Layer, step

Way = Callable[[], nn.Module]
"""Makes a decoder that is spread over all ranks."""


def mesh_of(*dimensions: tuple[str, int]) -> DeviceMesh:
    """A mesh over all ranks; a size of -1 stands for what the others leave."""
    left = dist.get_world_size()
    for _, size in dimensions:
        left //= max(size, 1)
    sizes = tuple(left if size == -1 else size for _, size in dimensions)
    return init_device_mesh("cpu", sizes, mesh_dim_names=tuple(name for name, _ in dimensions))


def fsdp2(mesh: DeviceMesh | None = None, *, checkpoint: bool = False, **options: Any) -> nn.Module:
    """Each layer and the rest sharded on their own."""
    model = Decoder()
    for place, layer in enumerate(model.layers):
        if checkpoint:
            model.layers[place] = layer = checkpoint_wrapper(layer)
        fully_shard(layer, mesh=mesh, **options)
    return fully_shard(model, mesh=mesh, **options)


def fsdp1() -> nn.Module:
    """The same by the older wrapper."""
    return FullyShardedDataParallel(
        Decoder(), auto_wrap_policy=ModuleWrapPolicy({Layer}), device_id=torch.device("cpu")
    )


def tensor_parallel(mesh: DeviceMesh) -> nn.Module:
    """Plain `parallelize_module`: columns first, then rows."""
    model = Decoder()
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


def sequence_parallel(mesh: DeviceMesh) -> nn.Module:
    """Norms work on a share of the tokens."""
    model = Decoder()
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


def sharded_and_sequence_parallel() -> nn.Module:
    """FSDP2 over one dimension of the mesh, tensor parallelism over the other."""
    mesh = mesh_of(("dp", -1), ("tp", 2))
    model: Any = sequence_parallel(mesh["tp"])
    for layer in model.layers:
        fully_shard(layer, mesh=mesh["dp"])
    return fully_shard(model, mesh=mesh["dp"])


HALF = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)

WAYS: dict[str, Way] = {
    "fsdp2": fsdp2,
    "fsdp1": fsdp1,
    "tp": lambda: tensor_parallel(mesh_of(("tp", -1))),
    "sp": lambda: sequence_parallel(mesh_of(("tp", -1))),
}
"""Ways that any number of ranks can go."""

WAYS_OF_TWO: dict[str, Way] = {
    "fsdp2 in bfloat16": lambda: fsdp2(mp_policy=HALF),
    "fsdp2 checkpointed": lambda: fsdp2(checkpoint=True),
}
"""Ways that are tried on two ranks, for more would show nothing more."""

WAYS_OF_FOUR: dict[str, Way] = {
    "hsdp": lambda: fsdp2(mesh_of(("replicate", 2), ("shard", 2))),
    "fsdp2 x sp": sharded_and_sequence_parallel,
}
"""Ways for four ranks."""


def ways(ranks: int) -> dict[str, Way]:
    """The ways that are tried on so many ranks."""
    return WAYS | (WAYS_OF_FOUR if ranks == 4 else WAYS_OF_TWO)


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW, one parameter at a time."""
    return torch.optim.AdamW(model.parameters(), foreach=False)


def prepared(way: Way) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model after its first step, in which torch prepares much."""
    torch.manual_seed(0)
    model = way()
    optimizer = optimizer_of(model)
    step(model, optimizer)
    return model, optimizer

"""What DTensor does otherwise in a plan than on a cluster: two traps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from dispatchcount.distributed.cluster.patched import patched


def forget_layouts() -> None:
    """Have DTensor forget what it worked out.

    It remembers layouts by mesh, and two meshes are equal to it whatever rank this process is in
    them. So what it learnt as one rank would be handed to another, whose pieces may be smaller, and
    process groups of an earlier plan to a later one. Up to torch 2.9 the first of these caches can
    only be cleared by the one that it wraps; the last is there from torch 2.10 on.
    """
    from torch.distributed.tensor import DTensor, _redistribute

    propagator = DTensor._op_dispatcher.sharding_propagator
    sharding = propagator.propagate_op_sharding
    caches = (
        getattr(getattr(sharding, "cache", sharding), "cache_clear", None),
        getattr(getattr(_redistribute, "_gen_transform_infos", None), "cache_clear", None),
        getattr(torch._C, "_clear_DTensor_sharding_propagator_cache", None),
    )
    for clear in caches:
        if clear is not None:
            clear()


@contextmanager
def all_to_all() -> Iterator[None]:
    """Move a DTensor's shards from one dimension to another as a mesh of accelerators does.

    On a mesh of CPUs torch gathers everything and keeps a part, because gloo had no all-to-all.
    That would plan as many times too many bytes as there are ranks. ``shard_dim_alltoall`` in
    ``placement_types`` is private; a torch without it keeps its own way.
    """
    from torch.distributed.tensor import placement_types

    def direct(tensor: Tensor, gather_dim: int, shard_dim: int, mesh: Any, mesh_dim: int) -> Any:
        name = mesh.get_group(mesh_dim).group_name
        return torch.ops._dtensor.shard_dim_alltoall(tensor, gather_dim, shard_dim, name)

    if not hasattr(placement_types, "shard_dim_alltoall"):
        yield
        return
    with patched(placement_types, shard_dim_alltoall=direct):
        yield

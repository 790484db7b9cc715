"""This process as one rank of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch.distributed as dist

from dispatchcount.distributed.cluster.defaults import defaults_kept
from dispatchcount.distributed.cluster.dtensor import all_to_all, forget_layouts
from dispatchcount.distributed.mesh import Mesh


@contextmanager
def cluster(mesh: Mesh, rank: int) -> Iterator[Any]:
    """Be a rank of a cluster inside; yields torch's device mesh.

    The mesh is of CPUs: on a mesh of GPUs, FSDP asks for a driver. It is made before any fake mode
    is on, because torch reads values out of the tensor in which it keeps the ranks.

    Whatever code inside does to the process is undone: its process groups, the default device and
    dtype, the state of random numbers, and if gradients are recorded.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    with ExitStack() as undo:
        undo.enter_context(defaults_kept())
        undo.callback(forget_layouts)
        undo.callback(_leave_groups)
        forget_layouts()
        dist.init_process_group("fake", rank=rank, world_size=mesh.ranks, store=FakeStore())
        undo.enter_context(all_to_all())
        yield init_device_mesh("cpu", mesh.sizes, mesh_dim_names=mesh.names)


def _leave_groups() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()

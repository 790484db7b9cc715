"""Process groups: which one a collective was called with, and what a report says of it.

An operator gets its group as a name (functional collectives), or as the group itself in a box (the
others). Both are described by a `Group`, which holds no more than names and ranks, so that equal
groups give equal keys and none is kept alive.

Leans on parts of torch.distributed that are private: ``ProcessGroup.unbox`` and
``_resolve_process_group``, by which torch's own operators find their group, and the description
``mesh_<dimension>`` that a device mesh gives the groups that it makes. They are as used here in
torch 2.6 to 2.14.1. Where they are not, a group has a name and no ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist

from dispatchcount.capture.held import entries_of, guarded
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.torch_private import loaded
from dispatchcount.rules.core.group import Group

_OF_MESH = "mesh_"
"""How torch begins the description of a group that a mesh made for one of its dimensions."""

_WHOLE = ("default_pg", "mesh_default")
"""The descriptions of groups of all ranks, which a mesh takes for a dimension of that size."""


class Groups:
    """Describes the process groups of one block."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._known: WeakKeyDictionary[Any, Group] = WeakKeyDictionary()
        # The dimensions for which meshes took a group that they had not made, by the group's name.
        self._taken: dict[str, str] = {}
        # How many modules there were when their meshes were looked at.
        self._looked_at = -1

    def describe(self, value: Any) -> Group | None:
        """The group that an argument of an operator stands for.

        Args:
            value: the group's name, or the group, in torch's box or not; or None.

        Returns:
            A group without ranks where torch.distributed has none of that name; None for None.
        """
        if value is None:
            return None
        group = self._find(value)
        if group is None:
            return Group(value if isinstance(value, str) else "")
        known = self._known.get(group)
        if known is None:
            known = self._known[group] = self._described(group)
        return known

    def _find(self, value: Any) -> Any:
        try:
            if isinstance(value, str):
                return torch._C._distributed_c10d._resolve_process_group(value)
            if isinstance(value, dist.ProcessGroup):
                return value
            return dist.ProcessGroup.unbox(value)
        except (AttributeError, RuntimeError, TypeError, ValueError):
            return None

    def _described(self, group: Any) -> Group:
        try:
            ranks = tuple(dist.get_process_group_ranks(group))
        except (KeyError, ValueError):  # it was made without torch.distributed's book-keeping
            ranks = ()
        name, about = str(group.group_name), str(group.group_desc)
        if about in _WHOLE:
            dimension = self._dimension(name)
        else:
            dimension = about.removeprefix(_OF_MESH) if about.startswith(_OF_MESH) else ""
        return Group(name, ranks, dimension)

    def _dimension(self, name: str) -> str:
        """The dimension for which a mesh of a parameter took the group; ``""`` for none."""
        if self._looked_at != len(self._modules.infos):
            self._looked_at = len(self._modules.infos)
            for mesh in self._meshes():
                for dimension in mesh.mesh_dim_names or ():
                    # A mesh that this rank is not on has no group for it.
                    group: Any = guarded(partial(mesh.get_group, dimension), None)
                    if group is not None:
                        self._taken.setdefault(str(group.group_name), dimension)
        return self._taken.get(name, "")

    def _meshes(self) -> Iterator[Any]:
        """The meshes that parameters are laid out on."""
        dtensor = loaded("torch.distributed.tensor", "DTensor")
        seen = set()
        for info in list(self._modules.infos.values()) if dtensor is not None else ():
            module = info.module()
            for _name, held in () if module is None else entries_of(module, "_parameters"):
                if isinstance(held, dtensor) and held.device_mesh not in seen:
                    seen.add(held.device_mesh)
                    yield held.device_mesh


def distributed() -> bool:
    """True if this process belongs to a group of ranks."""
    return _AVAILABLE and bool(dist.is_initialized())


_AVAILABLE = dist.is_available()
"""A torch may be built without ``torch.distributed``."""

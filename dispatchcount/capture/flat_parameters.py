"""The parameters that a flat one of the first FSDP stands for.

The first FSDP keeps the parameters of many modules in one flat tensor, of which each rank holds a
part. The modules then have no parameters, or views with other shapes; FSDP's handle remembers what
they had. The attributes of it that are read here are private to torch, and torch 2.6 to 2.14 have
all of them; without one, parameters are shown as they are.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import nn

from dispatchcount.capture.held import guarded
from dispatchcount.capture.weights import Facts

SHARDED = "_fsdp_wrapped_module"
"""The name by which the first FSDP holds what it wraps."""


class Originals:
    """The parameters that flat ones stand for, of the FSDP modules that were looked into.

    Attributes:
        hidden: ids of tensors that are not shown, because the originals are.
    """

    def __init__(self) -> None:
        self.hidden: set[int] = set()
        self._of: defaultdict[int, list[Facts]] = defaultdict(list)

    def look_into(self, module: nn.Module) -> None:
        """Note what the flat parameter of an FSDP module stands for, if it has one."""
        flat = guarded(lambda: module._handle.flat_param, None)
        nothing: list[tuple[nn.Module, Facts]] = []
        found = nothing if flat is None else guarded(lambda: _originals(flat), nothing)
        for holder, facts in found:
            self._of[id(holder)].append(facts)
        if found:
            self.hidden |= {
                id(flat),
                *map(id, (*(flat._params or ()), *(flat._shared_params or ()))),
            }

    def of(self, module: nn.Module) -> list[Facts]:
        """The parameters of a module that a flat one stands for."""
        return self._of.get(id(module), [])


def _originals(flat: Any) -> list[tuple[nn.Module, Facts]]:
    """The parameters that a flat one stands for, each with the module that it is a parameter of."""
    count = len(flat._param_infos)
    # Without sharding there is nothing to say of shards, and every rank holds all of it.
    shards = getattr(flat, "_shard_param_infos", None) or [None] * count
    # With use_orig_params the originals live on as views of the flat one.
    views = flat._params or [flat] * count
    found: list[tuple[nn.Module, Facts]] = []
    addresses: dict[tuple[int, str], Facts] = {}
    for info, shape, numel, shard, view in zip(
        flat._param_infos, flat._shapes, flat._numels, shards, views, strict=True
    ):
        local = int(numel) if shard is None else int(shard.numel_in_shard or 0)
        # An id that no other parameter has: the description lives as long as the flat one.
        facts = (
            info.param_name, id(info), tuple(map(int, shape)), flat.dtype,
            bool(view.requires_grad), False, local,
        )  # fmt: skip
        addresses[id(info.module), info.param_name] = facts
        found.append((info.module, facts))
    for info in flat._shared_param_infos:
        first = addresses[id(info.prim_module), info.prim_param_name]
        found.append((info.module, (info.param_name, *first[1:])))
    return found

"""What FSDP2 keeps of parameters, and what it adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from dispatchcount.distributed.padding import Padding


def fsdp_parameters(module: nn.Module) -> list[Any]:
    """What FSDP2 keeps of each parameter that it shards together with others at a module.

    ``_get_fsdp_state`` and ``FSDPParam`` are private. A state has one group of parameters up to
    torch 2.11 and a list of groups later.
    """
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(module, FSDPModule):
        return []
    state = module._get_fsdp_state()
    groups = getattr(state, "_fsdp_param_groups", None)
    if groups is None:
        groups = [state._fsdp_param_group]
    return [parameter for group in groups if group is not None for parameter in group.fsdp_params]


def padding(model: nn.Module) -> Iterator[Padding]:
    """What FSDP adds at each module that parameters are sharded at, after a step.

    FSDP knows dtypes from its first step on.
    """
    for name, module in model.named_modules():
        useful = sent = ranks = 0
        for parameter in fsdp_parameters(module):
            ranks = parameter.mesh_info.shard_mesh_size
            width = (parameter.param_dtype or parameter.orig_dtype).itemsize
            useful += parameter._orig_size.numel() * width
            sent += parameter.padded_sharded_param_size.numel() * ranks * width
        if ranks:
            yield Padding(name, ranks, useful, sent)

"""The tensors of a plan: fake ones on the CPU in place of those on meta."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dispatchcount.capture.torch_private import FakeTensor
from dispatchcount.distributed.cluster.ddp import renew_reducer
from dispatchcount.distributed.cluster.fsdp import fsdp_parameters


def stand_in(model: nn.Module) -> None:
    """Give every tensor of a model on meta a fake one on the CPU in its place.

    To be called under the fake mode of the plan. FSDP refuses to run on meta, and operators on meta
    are not those that a device runs (attention is not fused). Modules are parallelized on meta all
    the same, because DTensor reads its mesh then, which no fake mode allows. Tied parameters, and
    tensors that modules keep as plain attributes, are kept as they were.
    """
    made: dict[int, tuple[Tensor, Tensor]] = {}  # the old one is kept, so that its id is not reused

    def replaced(tensor: Any) -> Any:
        if not isinstance(tensor, Tensor) or isinstance(tensor, FakeTensor):
            return tensor
        if id(tensor) not in made:
            made[id(tensor)] = tensor, _fake(tensor)
        return made[id(tensor)][1]

    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                held[name] = replaced(tensor)
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                vars(module)[name] = replaced(value)
    for module in model.modules():
        if isinstance(module, nn.parallel.DistributedDataParallel):
            renew_reducer(module, replaced)
        for parameter in fsdp_parameters(module):
            parameter.reset_sharded_param()


def _fake(tensor: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor

    if isinstance(tensor, DTensor):
        local = _fake(tensor._local_tensor)
        fake: Any = DTensor(local, tensor._spec, requires_grad=tensor.requires_grad)
    else:
        fake = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="cpu")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(fake, requires_grad=tensor.requires_grad)
    return fake

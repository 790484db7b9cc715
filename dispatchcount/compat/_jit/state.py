"""Leaves a model and the random number generators as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import is_lazy

from dispatchcount.capture.held import buffers
from dispatchcount.compat._modules import named_modules, tensors


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Restore the model's buffers and the states of the random number generators afterwards.

    The buffers are BatchNorm statistics and the like.
    """
    with ExitStack() as stack:
        for kind, indices in _accelerators(model).items():
            stack.enter_context(torch.random.fork_rng(devices=sorted(indices), device_type=kind))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        saved = [
            (module, name, buffer, buffer.detach().clone())
            for _, module in named_modules(model)
            for name, buffer in buffers(module)
            if not is_lazy(buffer)
        ]
        try:
            yield
        finally:
            for module, name, buffer, before in saved:
                module._buffers[name] = buffer
                _restore(buffer, before)


def _accelerators(model: nn.Module) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for tensor in tensors(model):
        if tensor.device.type not in ("cpu", "meta") and tensor.device.index is not None:
            found.setdefault(tensor.device.type, set()).add(tensor.device.index)
    return found


def _restore(buffer: torch.Tensor, before: torch.Tensor) -> None:
    """Write the contents back if they changed.

    A buffer that did not change is not written, for autograd takes every write for a change.
    """
    with torch.no_grad(), torch.inference_mode(buffer.is_inference()):
        if not (buffer.is_meta or isinstance(buffer, FakeTensor)) and not torch.equal(
            buffer, before
        ):
            buffer.copy_(before)

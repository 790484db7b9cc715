"""What code may set for the whole process, and how it is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import overrides
from torch.utils import _device as devices


@contextmanager
def defaults_kept() -> Iterator[None]:
    """Have tensors made on the CPU inside, and put back what code may set for the whole process."""
    dtype = torch.get_default_dtype()
    with (
        made_on("cpu"),
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def made_on(device: str) -> Iterator[None]:
    """Have tensors made on `device` inside, unless code inside sets another default device.

    ``with torch.device(…)`` would not do. It leaves another mode than it entered if a default
    device is set meanwhile. So all that torch keeps for both ways is put back as it was: the modes
    for torch functions, and two global variables.
    """
    modes = overrides._get_current_function_mode_stack()
    current, chosen = devices.CURRENT_DEVICE, torch._GLOBAL_DEVICE_CONTEXT.__dict__.copy()
    try:
        if torch.get_default_device() != torch.device(device):
            torch.set_default_device(device)
        yield
    finally:
        while overrides._len_torch_function_stack():
            overrides._pop_mode()
        for mode in modes:
            overrides._push_mode(mode)
        devices.CURRENT_DEVICE = current
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.clear()
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.update(chosen)

"""What code may set for the whole process, and how it is put back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import overrides
from torch.utils import _device as devices


@contextmanager
def defaults_kept() -> Iterator[None]:
    """Have tensors made on the CPU inside, and put back what code may set for the whole process.

    Python's random numbers are among it: torch's collectives without values draw from them.
    """
    dtype, drawn = torch.get_default_dtype(), random.getstate()
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
            random.setstate(drawn)


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
        # First as if no default device had been set: up to torch 2.9, one that is set later would
        # lose against one that is there.
        _set_modes([mode for mode in modes if not isinstance(mode, devices.DeviceContext)])
        devices.CURRENT_DEVICE = None
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.clear()
        if device != "cpu":
            torch.set_default_device(device)
        yield
    finally:
        _set_modes(modes)
        devices.CURRENT_DEVICE = current
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.clear()
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.update(chosen)


def _set_modes(modes: Sequence[Any]) -> None:
    """Make these the modes for torch functions, the outermost first."""
    while overrides._len_torch_function_stack():
        overrides._pop_mode()
    for mode in modes:
        overrides._push_mode(mode)

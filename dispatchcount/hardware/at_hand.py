"""The device that torch works on now. Besides it only `tf32.py` and `measure.py` ask torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dispatchcount.hardware.catalog import recognized
from dispatchcount.hardware.device import Device
from dispatchcount.hardware.tf32 import rounded_kinds

GIVE = (
    "give its peak, dispatchcount.Device(peak={'bfloat16': 989e12}, bandwidth=3.35e12), "
    "or measure it, dispatchcount.measure_device()"
)
"""What to do where a device has no peaks."""


def device_at_hand() -> Device:
    """The accelerator that torch works on now, or the CPU if there is none.

    A device that is not in the table has no peaks. The CPU has none either: what it can do depends
    on the cores that this process may use.
    """
    import torch

    if not torch.accelerator.is_available():
        return Device(peak={}, name="cpu", title="CPU", note=f"a CPU has no peak here; {GIVE}")
    current = torch.accelerator.current_accelerator()
    assert current is not None
    name, memory, units = _facts(current.type)
    known = recognized(name, memory, units)
    if known is not None:
        return known
    return Device(
        peak={},
        name=name.lower(),
        title=name,
        memory=memory,
        units=units,
        note=f"not a known device; {GIVE}",
    )


def as_torch_rounds(device: Device) -> Device:
    """`device` where float32 products may be rounded to TF32 as torch is set at present."""
    import torch

    return replace(device, rounds=rounded_kinds()) if torch.cuda.is_available() else device


def _facts(kind: str) -> tuple[str, float | None, int | None]:
    """What the driver calls the device at hand, its memory in bytes, and how many units it has."""
    import torch

    if kind == "mps":
        mps: Any = torch.backends.mps  # before torch 2.8 it told neither
        name = mps.get_name() if hasattr(mps, "get_name") else "Apple GPU"
        cores = mps.get_core_count() if hasattr(mps, "get_core_count") else None
        return str(name), None, cores
    module = torch.get_device_module(kind)
    properties = module.get_device_properties(module.current_device())
    # Each kind of accelerator has its own properties; AMD's are those of CUDA.
    units = getattr(properties, "multi_processor_count", None)
    return str(properties.name), float(properties.total_memory), units

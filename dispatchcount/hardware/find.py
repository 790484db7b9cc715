"""A device by its name, or the one at hand."""

from __future__ import annotations

from difflib import get_close_matches

from dispatchcount.errors import DeviceError
from dispatchcount.hardware.at_hand import device_at_hand
from dispatchcount.hardware.catalog import devices, recognized
from dispatchcount.hardware.device import Device


def device(name: str | None = None) -> Device:
    """A device out of the table, or the one at hand.

        dispatchcount.device("h100-sxm").peak["bfloat16"]    # 989.4e12 flops a second

    Args:
        name: its key (``dispatchcount devices`` lists them), or the name that torch gives it. None
            asks torch for the accelerator at hand. If that one is not in the table, what is
            returned has no peaks: figures that need one say how to give it.

    Raises:
        DeviceError: no device goes by that name.
    """
    if name is None:
        return device_at_hand()
    key = name.strip().lower().replace(" ", "-").replace("_", "-")
    known = devices().get(key) or recognized(name, None)
    if known is not None:
        return known
    near = [other for other in devices() if other.startswith(key)][:4]
    near = near or get_close_matches(key, devices(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`dispatchcount devices` lists them"
    raise DeviceError(
        f"no device is called {name!r}; {hint} For another one give its peaks: "
        "dispatchcount.Device(peak={'bfloat16': 989e12}, bandwidth=3.35e12)"
    )

"""A device by its name, or the one at hand."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from dispatchcount.errors import DeviceError
from dispatchcount.hardware.at_hand import device_at_hand
from dispatchcount.hardware.catalog import devices, recognized, short_names
from dispatchcount.hardware.device import Device


def device(name: str | None = None) -> Device:
    """A device out of the table, or the one at hand.

        dispatchcount.device("h100-sxm").peak["bfloat16"]    # 989.4e12 flops a second

    Args:
        name: its key (``dispatchcount devices`` lists them), or the name that torch gives it.
            Capitals, spaces and the maker's name do not matter. A bare "h100" is the SXM module.
            None asks torch for the accelerator at hand. If that one is not in the table, what is
            returned has no peaks: figures that need one say how to give it.

    Raises:
        DeviceError: no device goes by that name.
        TypeError: it is no name.
    """
    if name is None:
        return device_at_hand()
    if not isinstance(name, str):
        raise TypeError(
            f"device() takes a name such as 'h100-sxm', got {name!r}; without one it finds the "
            "device at hand"
        )
    known = _typed().get(_plain(name)) or recognized(name, None)
    if known is not None:
        return known
    key = name.strip().lower().replace(" ", "-").replace("_", "-")
    near = [other for other in devices() if other.startswith(key)][:4]
    near = near or get_close_matches(key, devices(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`dispatchcount devices` lists them"
    raise DeviceError(
        f"no device is called {name!r}; {hint} For another one give its peaks: "
        "dispatchcount.Device(peak={'bfloat16': 989e12}, bandwidth=3.35e12)"
    )


@cache
def _typed() -> dict[str, Device]:
    """Each known device by its key and by short names, as `_plain` has them."""
    named = {key: devices()[key] for key in devices()}
    named |= {short: devices()[key] for short, key in short_names().items()}
    return {_plain(key): known for key, known in named.items()}


_FILLERS = ("nvidia", "amd", "intel", "apple", "tesla", "geforce", "instinct")
"""Words that people put before the name of a device, or leave out."""


def _plain(name: str) -> str:
    """The name without capitals, separators, words before it, and the number of an SXM socket."""
    words = re.split(r"[\s_/()-]+", name.strip().lower())
    while len(words) > 1 and words[0] in _FILLERS:
        words = words[1:]
    return re.sub(r"sxm\d", "sxm", "".join(words))

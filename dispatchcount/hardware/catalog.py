"""The table of known devices, and how one is recognized by the name that its driver gives.

The table is ``devices.json`` beside this file. It is JSON because Python 3.10 reads no TOML by
itself, and one more package for every user would be a high price for nicer commas.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from dispatchcount.hardware.device import CONV, FLOAT8, RNN, Device, Source

_MAKERS = ("nvidia ", "amd ", "intel(r) ", "intel ")
"""What vendors' drivers put before the name of a device."""

_NEAR = 0.15
"""How far the memory that torch sees may be from the sheet's: drivers and ECC keep a part of it,
and sheets say GB for 10⁹ bytes as well as for 2³⁰."""


@cache
def devices() -> dict[str, Device]:
    """Every known device by its key, in the order of the table: by vendor, oldest first."""
    table = _table()
    return {name: _device(name, row, table["sources"]) for name, row in table["devices"].items()}


def recognized(name: str, memory: float | None, units: int | None = None) -> Device | None:
    """The known device that a driver calls `name`; None if there is none, or more than one fits.

    Names must agree in full: "RTX 4090 Laptop GPU" is another device than "RTX 4090". Memory and
    units tell devices of one name apart, and a whole device from a part of it (MIG, AMD's
    partitions), which has less of both. Power does not: limits of power can be set by who runs the
    machine, and no two known devices agree in all but power.

    Args:
        name: as torch gives it, ``"NVIDIA H100 80GB HBM3"``.
        memory: bytes that torch sees; None if not known.
        units: multiprocessors, compute units or cores that torch sees; None if not known.
    """
    plain = " ".join(name.lower().split())
    for maker in _MAKERS:
        plain = plain.removeprefix(maker)
    named = [devices()[key] for key, names in _drivers().items() if plain in names]
    several = len(named) > 1
    fitting = [
        known
        for known in named
        if _fits_memory(known, memory, needed=several) and units in (None, known.units or units)
    ]
    return fitting[0] if len(fitting) == 1 else None


def short_names() -> dict[str, str]:
    """What people type for the module of a family that sits in training servers, and its key.

    A bare name is the SXM module, as vendors themselves have it from "H200" on.
    """
    return dict(_table()["short"])


def _fits_memory(known: Device, memory: float | None, *, needed: bool) -> bool:
    """True if a device with so much memory may be this one.

    Args:
        known: this one.
        memory: bytes; None if not known.
        needed: True if without it the device could be another one as well.
    """
    if known.memory is None or (memory is None and not needed):
        return True
    return memory is not None and abs(memory / known.memory - 1) <= _NEAR


@cache
def _table() -> dict[str, Any]:
    data = files("dispatchcount.hardware").joinpath("devices.json").read_bytes()
    table: dict[str, Any] = orjson.loads(data)
    return table


@cache
def _drivers() -> dict[str, tuple[str, ...]]:
    """For each device by its key: what drivers call it, in lower case and without the maker."""
    return {key: tuple(row["names"]) for key, row in _table()["devices"].items()}


def _device(name: str, row: dict[str, Any], sources: dict[str, dict[str, str]]) -> Device:
    return Device(
        peak=_each_dtype(row["peak"]),
        bandwidth=row.get("bandwidth"),
        memory=row.get("memory"),
        interconnect=row.get("interconnect"),
        vector=_each_dtype(row.get("vector", {})),
        name=name,
        title=row["title"],
        sparse=tuple(_each_dtype(dict.fromkeys(row.get("sparse", ()), 0.0))),
        source=Source(**sources[row["source"]]),
        note=row.get("note", ""),
        units=row.get("units"),
        # Devices of AMD have a TF32 unit, but torch gives convolutions to MIOpen there, which does
        # not round, whatever `torch.backends.cudnn` says (pytorch/pytorch#190711 would change it).
        rounds=tuple(row.get("rounds", (CONV, RNN))),
    )


def _each_dtype(rates: dict[str, float]) -> dict[str, float]:
    """`rates` with the table's word "float8" replaced by the dtypes that it stands for."""
    spelled: dict[str, float] = {}
    for dtype, rate in rates.items():
        spelled |= dict.fromkeys(FLOAT8, rate) if dtype == "float8" else {dtype: rate}
    return spelled

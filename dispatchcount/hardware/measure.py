"""What a device reaches: a large product for each dtype, and large tensors read and written.

A vendor's sheet says what a device could do; a CPU has no such sheet for the cores and clocks that
a process gets. Rates measured here are a roof for it, and for any device that is not in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dispatchcount.errors import DeviceError, expect
from dispatchcount.hardware.device import TF32, Device, dtype_name
from dispatchcount.hardware.tf32 import matrix_products
from dispatchcount.render.numbers import plural

if TYPE_CHECKING:
    import torch

_CPU_SIZE, _ACCELERATOR_SIZE = 4096, 8192
"""Sides of the largest square matrices that are multiplied: so large that many cores have work."""

_LEAST_SIZE = 64
"""The side that is tried first. A dtype that the device emulates is too slow for large matrices."""

_CPU_BYTES, _ACCELERATOR_BYTES = 1 << 28, 1 << 30
"""Bytes of the tensors that are read and written: several times what caches hold."""

_LEAST_SECONDS = 0.2
"""How long each figure is measured at least."""

_LEAST_RUNS = 3

_FIRST_WITH_TF32 = (8, 0)
"""The compute capability of the first GPUs with a TF32 unit."""

_SIDES = 7
"""About how many sides of matrices share the time of a dtype."""


def measure_device(
    device: Any = None,
    dtypes: Sequence[Any] = ("float32", "tf32", "bfloat16", "float16", "float64"),
    *,
    seconds: float = _LEAST_SECONDS,
    size: int | None = None,
    nbytes: int | None = None,
) -> Device:
    """Measure what products and memory reach on a device, the best of several runs each.

        dispatchcount.measure_device().peak["float32"]    # flops a second of this CPU

    It takes about ``seconds`` for each dtype and for each of three ways to use memory, with as many
    threads as torch is set to use. Nothing else should run meanwhile.

    Args:
        device: a torch device or its name; by default the accelerator at hand, else the CPU.
        dtypes: of the products; those that the device cannot multiply are left out. ``"tf32"`` is
            float32 that torch may round, on a GPU of NVIDIA, and is left out elsewhere.
        seconds: how long each figure is measured at least.
        size: side of the square matrices at most. Products of smaller ones are measured as well,
            and the best rate is taken; the next larger side is left out where one product of it
            would take longer than `seconds`.
        nbytes: bytes of the tensors that are copied, changed in place and summed.

    Raises:
        DeviceError: no product runs on the device.
        TypeError: `dtypes` is no list, or another argument no number.
        ValueError: a device has no peak for one of the dtypes, or a number is too small.
    """
    import torch

    expect(dtypes, (list, tuple, set), "dtypes", "a list: dtypes=['float32', torch.bfloat16]")
    names = [dtype_name(dtype) for dtype in dtypes]
    if not names:
        raise ValueError("there are no dtypes; give one at least: dtypes=['float32']")
    expect(seconds, (int, float), "seconds", "how long to measure each figure, such as 0.2")
    if not seconds >= 0:
        raise ValueError(f"seconds={seconds!r}: give how long to measure each figure, such as 0.2")
    place = _place(device)
    on_host = place.type == "cpu"
    size = _at_least(1, "size", size, _CPU_SIZE if on_host else _ACCELERATOR_SIZE)
    nbytes = _at_least(4, "nbytes", nbytes, _CPU_BYTES if on_host else _ACCELERATOR_BYTES)
    with torch.no_grad():
        peak = {}
        for name in names:
            with _rounding(place, name) as kind:
                rate = None if kind is None else _product_rate(place, kind, size, seconds)
            if rate is not None:
                peak[name] = rate
        if not peak:
            raise DeviceError(f"{place} multiplies matrices in none of {', '.join(names)}")
        bandwidth = _memory_rate(place, nbytes, seconds)
    threads = f", {plural(torch.get_num_threads(), 'thread')}" if on_host else ""
    return Device(
        peak=peak,
        bandwidth=bandwidth,
        name=f"{place} (measured)",
        title=f"{place} as measured{threads}",
        measured=True,
        note=f"products of up to {size} × {size} and tensors of {nbytes:,} bytes{threads}",
    )


def _at_least(least: int, name: str, value: int | None, default: int) -> int:
    """The value that was given, or the default."""
    if value is None:
        return default
    give = f"an integer from {least} up, or None for {default:,}"
    expect(value, int, name, give)
    if value < least:
        raise ValueError(f"{name}={value}: give {give}")
    return value


def _place(device: Any) -> torch.device:
    import torch

    if device is not None:
        return torch.device(device)
    current = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return current or torch.device("cpu")


@contextmanager
def _rounding(place: torch.device, name: str) -> Iterator[torch.dtype | None]:
    """The dtype of torch that is measured for one of `DTYPES`, with torch set to round for TF32.

    For float32 torch is set not to round. It is None for TF32 where there is no such unit.
    """
    import torch

    on_nvidia = place.type == "cuda" and torch.version.hip is None
    if name not in ("float32", TF32) or not on_nvidia:
        # An older torch lacks dtypes that a device may have a peak for; it multiplies none of them.
        yield getattr(torch, name, None)
    elif name == TF32 and torch.cuda.get_device_capability(place) < _FIRST_WITH_TF32:
        yield None
    else:
        with matrix_products(rounded=name == TF32):
            yield torch.float32


def _product_rate(
    place: torch.device, kind: torch.dtype, size: int, seconds: float
) -> float | None:
    """Flops a second of a product of square matrices; None if `kind` is not multiplied there."""
    import torch

    side, best = min(size, _LEAST_SIZE), 0.0
    while True:
        try:
            left, right = (torch.ones(side, side, device=place).to(kind) for _ in range(2))
            out = left @ right
        except (RuntimeError, TypeError, NotImplementedError):  # torch's "not on this device"
            return None
        flops = 2 * side**3
        took = _best(partial(torch.mm, left, right, out=out), place, seconds / _SIDES)
        best = max(best, flops / took)
        # Twice the side is eight times the work.
        if side >= size or 8 * took > seconds:
            return best
        side = min(2 * side, size)


def _memory_rate(place: torch.device, nbytes: int, seconds: float) -> float:
    """Bytes a second that large tensors are read and written with, the best of three ways.

    A roof is the best way. A copy is often not: where a cache fetches a line before it writes it,
    a copy moves three bytes for each two that are counted, and work in place moves two.
    """
    import torch

    source = torch.ones(nbytes // 4, dtype=torch.float32, device=place)
    target = torch.empty_like(source)
    moved = int(source.numel() * source.element_size())
    return max(
        2 * moved / _best(lambda: target.copy_(source), place, seconds),
        2 * moved / _best(lambda: source.mul_(1.0), place, seconds),
        moved / _best(source.sum, place, seconds),
    )


def _best(run: Callable[[], Any], place: torch.device, seconds: float) -> float:
    """Seconds of the fastest run, after one that warms up."""
    _timed(run, place)
    best, spent, runs = float("inf"), 0.0, 0
    while spent < seconds or runs < _LEAST_RUNS:
        took = _timed(run, place)
        best, spent, runs = min(best, took), spent + took, runs + 1
    return best


def _timed(run: Callable[[], Any], place: torch.device) -> float:
    import torch

    start = perf_counter()
    run()
    if place.type != "cpu":
        torch.accelerator.synchronize(place)
    return perf_counter() - start

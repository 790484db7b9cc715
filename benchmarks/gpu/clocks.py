"""Time, rates and memory of the device, against clocks and counters that are not ours."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import nn

import dispatchcount as dc
from gpu.check import check, training_step, wait

CLOSE = 0.03
"""How far MFU may be from the figure of the matmul loop's own timing."""


@check(on_host=False)
def known_device(place: torch.device) -> Iterator[tuple[str, bool]]:
    """The device at hand is in the table."""
    device = dc.device()
    yield f"{torch.cuda.get_device_name(place)!r} is {device.name} ({device})", bool(device.peak)


@check()
def matmul_loop(place: torch.device) -> Iterator[tuple[str, bool]]:
    """MFU of a matmul loop is that of its own timing."""
    side = 8192 if place.type != "cpu" else 512
    dtype = torch.bfloat16
    net = nn.Linear(side, side, bias=False, device=place, dtype=dtype)
    x = torch.randn(side, side, device=place, dtype=dtype)
    at_hand = dc.device()
    device = at_hand if at_hand.peak_of("bfloat16") else dc.Device(peak={"bfloat16": 1e15})
    meter = dc.Meter(net, device=device)
    with torch.no_grad():
        for _ in range(3):  # the first is counted, and the device warms up
            with meter.step(x):
                net(x)
        meter.recent()
        wait(place)
        began = time.perf_counter()
        for _ in range(50):
            with meter.step(x):
                net(x)
        wait(place)
        seconds = time.perf_counter() - began
    own = 50 * 2 * side**3 / seconds / (device.peak_of("bfloat16") or 1)
    mfu = meter.recent().mfu or 0.0
    yield f"MFU {mfu:.2%}, by the loop's own timing {own:.2%}", abs(mfu / own - 1) <= CLOSE


@check()
def time_of_operators(place: torch.device) -> Iterator[tuple[str, bool]]:
    """`profile(time=True)` gives a product the time that events around it give."""
    side = 4096 if place.type != "cpu" else 512
    left, right = (torch.randn(side, side, device=place) for _ in range(2))
    own = []
    for _ in range(10):
        began = time.perf_counter()
        left @ right
        wait(place)
        own.append(time.perf_counter() - began)
    times = []
    for _ in range(10):
        with dc.profile(time=True) as prof:
            left @ right
        times.append(prof.report.by_operator()["aten.mm"].time_ns / 1e9)
    ratio = min(times) / min(own)
    yield (
        f"{min(times) * 1e6:,.0f} µs, by a clock around it {min(own) * 1e6:,.0f}",
        0.7 < ratio < 1.3,
    )


@check(on_host=False)
def peak_of_memory(place: torch.device) -> Iterator[tuple[str, bool]]:
    """The peak of `profile(memory=True)` is that of torch's allocator.

    The allocator rounds each tensor up to 512 bytes and holds the workspaces of kernels as well, so
    its peak is the larger one.
    """
    net = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(1024, 1024), nn.ReLU())))
    net.to(place)
    x = torch.randn(4096, 1024, device=place)
    training_step(net, x)  # makes workspaces and the optimizer's state
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    report = training_step(net, x, memory=True)
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated()
    memory = report.memory
    assert memory is not None
    alive = sum(t.numel() * t.element_size() for t in (*net.parameters(), x))
    # What was alive before and is not the net's or the input's, such as workspaces of cuBLAS.
    others = before - alive
    ratio = memory.peak / (peak - max(others, 0))
    yield f"{memory.peak:,} bytes, the allocator's {peak:,} less {others:,}", 0.95 <= ratio <= 1.02


@check()
def measured_roof(place: torch.device) -> Iterator[tuple[str, bool]]:
    """No operator lies above the measured roof, and the measured peak is below the sheet's."""
    on_host = place.type == "cpu"
    options = {"size": 512, "nbytes": 1 << 22, "seconds": 0.1} if on_host else {}
    measured = dc.measure_device(place, ["float32", "bfloat16"], **options)
    sheet = dc.device()
    peak = sheet.peak_of("bfloat16")
    if peak:
        share = measured.peak["bfloat16"] / peak
        yield f"bfloat16: {share:.1%} of {sheet}'s peak", 0.4 < share <= 1.02
    net = nn.Sequential(nn.Linear(1024, 4096), nn.GELU(), nn.LayerNorm(4096), nn.Linear(4096, 1024))
    net.to(place)
    x = torch.randn(1024 if on_host else 32768, 1024, device=place)
    with torch.no_grad():
        net(x)
        with dc.profile(net, time=True) as prof:
            net(x)
    for name, row in prof.report.roofline(measured).by_operator().items():
        if row.of_roof is not None and row.seconds > 1e-4:
            yield f"{name}: {row.of_roof:.2f} of the roof", row.of_roof < (3 if on_host else 1.15)

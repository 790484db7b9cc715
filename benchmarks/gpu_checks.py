"""What only a GPU can show, and what the tests try with stand-ins: kernels of CUDA and ROCm,
events in a stream, the memory of an accelerator, backward in autograd's own threads.

    python benchmarks/gpu_checks.py            exit 0: all hold; 1: one does not; 2: there is no GPU
    python benchmarks/gpu_checks.py --device cpu    tries the checks themselves without a GPU

Each check prints what it compared. Nothing else should use the GPU meanwhile. docs/limitations.md
lists what stays unproven until this has passed on one.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import dispatchcount as dc

BATCH, HEADS, LENGTH, SIZE = 2, 8, 512, 64
"""Of the attention."""

CLOSE = 0.03
"""How far MFU may be from the figure of the matmul loop's own timing."""


class Check:
    """Something that must hold on the device.

    Attributes:
        name: what is checked.
        run: given the device, yields a line for each comparison: what, and True if it holds.
        on_host: True if the check itself can be tried on the CPU.
    """

    def __init__(
        self, run: Callable[[torch.device], Iterator[tuple[str, bool]]], *, on_host: bool
    ) -> None:
        self.name = (run.__doc__ or "").split(".")[0]
        self.run, self.on_host = run, on_host


CHECKS: list[Check] = []


def check(*, on_host: bool = True) -> Callable[[Any], Any]:
    """Add a function to `CHECKS`."""

    def add(run: Any) -> Any:
        CHECKS.append(Check(run, on_host=on_host))
        return run

    return add


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
        _wait(place)
        began = time.perf_counter()
        for _ in range(50):
            with meter.step(x):
                net(x)
        _wait(place)
        seconds = time.perf_counter() - began
    own = 50 * 2 * side**3 / seconds / (device.peak_of("bfloat16") or 1)
    mfu = meter.recent().mfu or 0.0
    yield f"MFU {mfu:.2%}, by the loop's own timing {own:.2%}", abs(mfu / own - 1) <= CLOSE


@check()
def attention_kernels(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Each kernel of attention and its backward count what the closed form says."""
    pairs = BATCH * HEADS * LENGTH * LENGTH
    seen = BATCH * HEADS * LENGTH * (LENGTH + 1) // 2
    for backend in (
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.MATH,
    ):
        for causal in (False, True):
            q, k, v = (
                torch.randn(
                    BATCH, HEADS, LENGTH, SIZE, device=place, dtype=torch.bfloat16
                ).requires_grad_()
                for _ in range(3)
            )
            name = f"{backend.name.lower()}{', causal' if causal else ''}"
            try:
                with sdpa_kernel(backend), dc.profile() as prof:
                    F.scaled_dot_product_attention(q, k, v, is_causal=causal).sum().backward()
            except RuntimeError as error:
                yield f"{name}: torch has no such kernel here ({str(error)[:50]})", True
                continue
            report = prof.report
            phases = report.by_phase()
            backward = phases["backward"].macs - phases["backward"].recomputed_macs
            ops = ", ".join(op for op in report.by_operator() if "attention" in op)
            right = phases["forward"].macs == 2 * pairs * SIZE and backward == 4 * pairs * SIZE
            if causal and report.masked_macs:  # the unfused form does not know its mask
                right &= report.masked_macs == (pairs - seen) * report.macs // pairs
            yield f"{name}: {report.macs:,} MACs {ops}", right and not report.unknown_ops


@check(on_host=False)
def flex_attention_kernels(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Flex attention and its backward count the blocks, and what the mask hides in them."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    mask = create_block_mask(
        lambda b, h, q, k: q >= k, None, None, LENGTH, LENGTH, device=place.type
    )
    q, k, v = (
        torch.randn(BATCH, HEADS, LENGTH, SIZE, device=place).requires_grad_() for _ in range(3)
    )
    with dc.profile() as prof:
        flex_attention(q, k, v, block_mask=mask).sum().backward()
    phases = prof.report.by_phase()
    seen = BATCH * HEADS * LENGTH * (LENGTH + 1) // 2
    for phase, products in (("forward", 2), ("backward", 5)):
        stats = phases[phase]
        visible = stats.macs - stats.masked_macs
        yield f"{phase}: {visible:,} MACs are not masked", visible == products * seen * SIZE


def _networks() -> dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]:
    """Nets whose layers have kernels of their own on an accelerator, and their inputs' sizes."""
    return {
        "LSTM": (lambda: nn.LSTM(64, 128, num_layers=2, bidirectional=True), (32, 4, 64)),
        "GRU": (lambda: nn.GRU(64, 128, num_layers=2), (32, 4, 64)),
        "convolutions": (
            lambda: nn.Sequential(
                nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
                nn.ConvTranspose2d(32, 16, 2, stride=2), nn.GroupNorm(4, 16), nn.Conv2d(16, 16, 3),
            ),
            (4, 3, 32, 32),
        ),
        "transformer": (
            lambda: nn.TransformerEncoder(
                nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True), 2
            ),
            (4, 48, 64),
        ),
    }  # fmt: skip


def _training_step(net: nn.Module, x: torch.Tensor, **options: Any) -> dc.Report:
    optimizer = torch.optim.AdamW(net.parameters())
    with dc.profile(net, **options) as prof:
        out = net(x)
        (out[0] if isinstance(out, tuple) else out).float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return prof.report


@check()
def same_as_on_the_host(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Training steps cost on the device what they cost on the CPU, module by module and phase.

    Backward runs in a thread of autograd's own there, which must find the modules all the same.
    """
    for name, (make, sizes) in _networks().items():
        torch.manual_seed(0)
        host = make()
        there = make().to(place)
        reports = [
            _training_step(host, torch.randn(sizes)),
            _training_step(there, torch.randn(sizes, device=place)),
        ]
        ours = [_products(report) for report in reports]
        unknown = ", ".join(reports[1].unknown_ops)
        yield (
            f"{name}: {reports[1].macs:,} MACs, {len(ours[1])} modules and phases"
            f"{f', unknown: {unknown}' if unknown else ''}",
            ours[0] == ours[1] and not unknown,
        )


def _products(report: dc.Report) -> dict[tuple[str, str], int]:
    """MACs by module and phase, without those that a fused backward forms again."""
    sums: dict[tuple[str, str], int] = {}
    for entry in report.entries:
        key = report.modules[report.paths[entry.path].module].name, entry.phase
        sums[key] = sums.get(key, 0) + entry.cost.macs - entry.cost.recomputed_macs
    return {key: macs for key, macs in sums.items() if macs}


@check()
def bits(place: torch.device) -> Iterator[tuple[str, bool]]:
    """Profiled training steps give the bits of unprofiled ones, with autocast and a scaler."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    results = []
    for profiled in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 128), nn.Dropout(0.1), nn.GELU(), nn.Linear(128, 8))
        net.to(place)
        optimizer = torch.optim.AdamW(net.parameters())
        scaler = torch.amp.GradScaler(place.type)
        for _ in range(3):
            x = torch.randn(16, 64, device=place)
            with dc.profile(net) if profiled else contextlib.nullcontext():
                with torch.autocast(place.type, torch.float16):
                    loss = net(x).float().square().mean()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
        results.append([parameter.detach().clone() for parameter in net.parameters()])
    torch.use_deterministic_algorithms(False)
    same = all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    yield "parameters after three steps", same


@check()
def time_of_operators(place: torch.device) -> Iterator[tuple[str, bool]]:
    """`profile(time=True)` gives a product the time that events around it give."""
    side = 4096 if place.type != "cpu" else 512
    left, right = (torch.randn(side, side, device=place) for _ in range(2))
    own = []
    for _ in range(10):
        began = time.perf_counter()
        left @ right
        _wait(place)
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
    _training_step(net, x)  # makes workspaces and the optimizer's state
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    report = _training_step(net, x, memory=True)
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


def _wait(place: torch.device) -> None:
    if place.type != "cpu":
        torch.accelerator.synchronize(place)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="where to run: cuda (ROCm too), or cpu")
    place = torch.device(parser.parse_args().device)
    if place.type == "cuda" and not torch.cuda.is_available():
        print(
            "these checks need a GPU that torch sees, and there is none; "
            "`--device cpu` tries the checks themselves",
            file=sys.stderr,
        )
        return 2
    failed = 0
    for one in CHECKS:
        if place.type == "cpu" and not one.on_host:
            print(f"left out: {one.name}")
            continue
        print(one.name)
        try:
            for text, holds in one.run(place):
                failed += not holds
                print(f"  {'holds' if holds else 'FAILS'}: {text}")
        except Exception:  # one check that raises must not hide what the others find
            failed += 1
            print(f"  FAILS: {traceback.format_exc()}")
    print(f"torch {torch.__version__}, {failed} failed" if failed else "all hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What a measured roof is worth on the machine at hand, and what `Meter` costs a training loop.

python benchmarks/hardware.py            prints the tables
python benchmarks/hardware.py --write    puts them into docs/benchmarks.md as well
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from page import machine, table, write
from torch import nn

import dispatchcount as dc

STEP_SECONDS = 0.05
"""The step that the time of a meter is set against."""

INTRODUCTION = """
## A measured roof, and what `Meter` costs

`dc.measure_device("cpu")` beside the fastest product of torch in the same time, measured in turn; then each operator of the fastest
of {runs} profiled runs on that roof (1 is the roof). Its tensors are larger than caches, as those were that the bandwidth was measured
with. `python benchmarks/hardware.py --write` measures it again, on a machine that does nothing else.
"""

METER = """
What `Meter` adds to a step after the first: CPU time of the host for a block around nothing, the median and the largest of
{values} values of {steps} steps each, and the median as a part of a step of {milliseconds:.0f} ms.
"""

RUNS, SECONDS = 5, 0.5
VALUES, STEPS = 50, 200


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    text = "\n".join(
        [
            INTRODUCTION.format(runs=RUNS).strip(),
            "",
            peaks(),
            "",
            roof(),
            METER.format(values=VALUES, steps=STEPS, milliseconds=STEP_SECONDS * 1e3),
            meters(),
            "",
            machine({"torch": torch.__version__}),
        ]
    )
    print(text)
    if options.write:
        write("hardware", text)


def peaks() -> str:
    """The measured peak of each dtype beside the fastest product that torch makes itself."""
    rows = []
    for dtype, side in (("float32", 1024), ("float32", 2048), ("bfloat16", 1024)):
        left = torch.ones(side, side, dtype=getattr(torch, dtype))
        fastest = float("inf")
        peak = 0.0
        for _ in range(RUNS):  # in turn, so that both see the machine as busy as it is
            spent = 0.0
            while spent < SECONDS:
                took = _seconds(lambda left=left: left @ left)
                fastest, spent = min(fastest, took), spent + took
            measured = dc.measure_device("cpu", [dtype], seconds=SECONDS, nbytes=1 << 20)
            peak = max(peak, measured.peak[dtype])
        own = 2 * side**3 / fastest
        rows.append(
            [
                f"{dtype}, {side} × {side}",
                f"{peak / 1e9:.1f}",
                f"{own / 1e9:.1f}",
                f"{peak / own:.2f}",
            ]
        )
    return table(["product", "measured peak, Gflop/s", "torch's, Gflop/s", "ratio"], rows)


def roof() -> str:
    """The operators of a profiled run under the measured roof."""
    net = nn.Sequential(nn.Linear(1024, 4096), nn.GELU(), nn.LayerNorm(4096), nn.Linear(4096, 1024))
    x = torch.randn(8192, 1024)
    reports = []
    with torch.no_grad():
        net(x)
        for _ in range(RUNS):
            with dc.profile(net, time=True) as prof:
                net(x)
            reports.append(prof.report)
    fastest = min(reports, key=lambda report: report.total.time_ns)
    roofline = fastest.roofline(dc.measure_device("cpu", ["float32"], seconds=1.0))
    rows = [
        [
            name,
            row.bound,
            f"{row.least_seconds * 1e3:.1f}",
            f"{row.seconds * 1e3:.1f}",
            f"{row.of_roof:.2f}",
        ]
        for name, row in roofline.by_operator().items()
        if row.seconds > 1e-3
    ]
    return table(["operator", "limited by", "least time, ms", "took, ms", "of the roof"], rows)


def meters() -> str:
    """What each way to use a meter costs in a step."""
    batch = {name: torch.zeros(4, 16, dtype=torch.long) for name in ("input_ids", "mask", "labels")}
    net = nn.Linear(64, 64)

    def step(b: int, s: int) -> None:
        net(torch.randn(b, s, 64)).sum().backward()

    law = dc.law(net, step, b=2, s=4)
    lawful = {
        "law": law,
        "sizes": lambda batch: dict(zip("bs", batch["input_ids"].shape, strict=True)),
    }
    rows = [
        _meter_row("one batch a step", net, {}, batch, parts=1),
        _meter_row("4 batches a step (gradient accumulation)", net, {}, batch, parts=4),
        _meter_row("one batch a step, a law", net, lawful, batch, parts=1),
    ]
    return table(["loop", "median, µs", "largest, µs", "of a step"], rows)


def _meter_row(
    name: str, net: nn.Module, options: Mapping[str, Any], batch: Any, *, parts: int
) -> list[str]:
    meter = dc.Meter(net, device=dc.Device(peak={"float32": 1e12}), **options)

    def one() -> None:
        if parts == 1:
            with meter.step(batch):
                pass
            return
        with meter.step():
            for _ in range(parts):
                with meter.batch(batch):
                    pass

    one()  # the first of a signature is counted
    values = []
    for _ in range(VALUES):
        began = time.thread_time()
        for _ in range(STEPS):
            one()
        values.append((time.thread_time() - began) / STEPS)
    median = statistics.median(values)
    return [
        name,
        f"{median * 1e6:.0f}",
        f"{max(values) * 1e6:.0f}",
        f"{median / STEP_SECONDS:.2%}".replace("%", " %"),
    ]


def _seconds(run: Callable[[], Any]) -> float:
    with torch.no_grad():
        began = time.perf_counter()
        run()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()

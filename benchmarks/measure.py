"""Timing: counters take turns in one process, `timeit` takes the time and pyperf keeps and
summarizes the values.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import Timer

import pyperf
from scenes import Scene, scene
from tools import ALONE, Tool, interleaved, quiet

CLOCK = time.process_time
"""CPU time: models run on one thread, and what else the machine does then matters less."""

SHORTEST = 0.05
"""Seconds that one timed value takes at least."""

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
}
"""One thread; and freed memory stays with the process, so that what a run waits for is not the
kernel's page tables.
"""


def worker(key: str, names: Sequence[str], rounds: int, out: str) -> None:
    """In a process of its own: time these tools on a scene in turn, and write a pyperf suite with a
    benchmark for each.
    """
    quiet()
    target = scene(key)
    known = {tool.name: tool for tool in [*interleaved(target), *ALONE]}
    tools = [known[name] for name in names]
    timers = [Timer(lambda tool=tool: tool.run(target), gc.enable, CLOCK) for tool in tools]  # type: ignore[misc]
    first = [timer.timeit(1) for timer in timers]
    loops = int(SHORTEST / min(timer.timeit(1) for timer in timers)) + 1
    values: list[list[float]] = [[] for _ in tools]
    for _ in range(rounds):
        for kept, tool, timer in zip(values, tools, timers, strict=True):
            count = -(-loops // tool.runs)
            kept.append(timer.timeit(count) / count / tool.runs)
    benchmarks = [
        _benchmark(key, tool, target, taken, once, loops)
        for tool, taken, once in zip(tools, values, first, strict=True)
    ]
    pyperf.BenchmarkSuite(benchmarks).dump(out, replace=True)


def _benchmark(
    key: str, tool: Tool, target: Scene, values: list[float], first: float, loops: int
) -> pyperf.Benchmark:
    macs = tool.macs(target)
    metadata = {"name": f"{key}/{tool.name}", "loops": loops, "macs": -1 if macs is None else macs}
    return pyperf.Benchmark([pyperf.Run(values, warmups=[(1, first)], metadata=metadata)])


class ToolError(Exception):
    """A tool could not count a scene; the message says what it raised."""


def measure(
    key: str, names: Sequence[str], *, rounds: int, processes: int
) -> dict[str, pyperf.Benchmark]:
    """Time tools on a scene in fresh processes, one after the other. By the tool's name.

    Raises:
        ToolError: a tool raised.
    """
    found: dict[str, pyperf.Benchmark] = {}
    with TemporaryDirectory() as folder:
        for number in range(processes):
            file = str(Path(folder) / f"{number}.json")
            script = str(Path(__file__).with_name("overhead.py"))
            run = subprocess.run(
                [
                    sys.executable,
                    script,
                    "--worker",
                    key,
                    "--rounds",
                    str(rounds),
                    "--out",
                    file,
                    "--tools",
                    *names,
                ],
                env=os.environ | ENVIRONMENT,
                capture_output=True,
                text=True,
            )
            if run.returncode:
                raise ToolError((run.stderr.strip().splitlines() or ["no message"])[-1])
            for benchmark in pyperf.BenchmarkSuite.load(file).get_benchmarks():
                name = benchmark.get_name().partition("/")[2]
                if name in found:
                    found[name].add_runs(benchmark)
                else:
                    found[name] = benchmark
    return found


def first_run(benchmark: pyperf.Benchmark) -> float:
    """Seconds of the first run in a process, the median over the processes."""
    firsts = sorted(run.warmups[0][1] for run in benchmark.get_runs())
    return float(firsts[len(firsts) // 2])

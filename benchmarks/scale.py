"""How cost grows with the number of operators, modules and signatures, and what the largest models
take.

    python benchmarks/scale.py            prints the tables python benchmarks/scale.py --write
    puts them into docs/benchmarks.md, and the plot into docs/scale.svg

`--quick` stops at 10,000 of anything.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyperf
import repeats
import sizes
import torch
from page import PAGE, machine, table, write

import dispatchcount

SWEEPS: dict[str, tuple[str, tuple[int, ...]]] = {
    "operators": ("operators in a loop", (1_000, 10_000, 100_000, 1_000_000, 10_000_000)),
    "signatures": ("operators, each on another shape", (1_000, 10_000, 100_000, 1_000_000)),
    "flat_modules": ("modules side by side", (100, 1_000, 10_000, 100_000)),
    "nested_modules": ("modules in a tree", (100, 1_000, 10_000, 100_000)),
    "deep_modules": ("modules inside one another", (10, 100, 1_000)),
}
POINTS: dict[str, tuple[str, int]] = {
    "generation": ("GPT-2 generates 2,000 tokens with a cache", 2_000),
    "vit": ("ViT-B/16, meta", 224),
    "llama": ("Llama 3.1 405B, 128 tokens, meta", 128),
    "mixture": ("DeepSeek-V3 671B, 128 tokens, meta", 128),
    "many": ("1,000,000 operators over 5,000 modules", 1_000_000),
}
QUICK = 10_000

INTRODUCTION = """
## How it grows

CPU time on one thread and growth of the process's memory, the report included; {processes}.
`python benchmarks/scale.py --write` measures it again. *Report* is `prof.report`, *modules* is `report.by_module()`.

![Time against operators, signatures and modules: straight lines of slope one](scale.svg)

Memory follows distinct calls, not calls. Where every call is distinct (a shape of its own), records are costed and folded into
sums each time there are {limit:,} of them, or {distinct:,} distinct calls. Once there are {nodes:,} distinct stacks of module
calls, no more than {shapes} more input shapes of a module are told apart under one caller.
"""

LEFT = """
## What repeating leaves

Growth over {repeats:,} steps of one block in which everything is made anew, after {first:,} steps; the process's memory, and
Python's own as `tracemalloc` has it (its run is slower, and shorter by ten).
"""

REPEATS = 100_000

Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md and docs/scale.svg"
    )
    parser.add_argument("--quick", action="store_true", help=f"nothing larger than {QUICK:,}")
    parser.add_argument("--processes", type=int, default=3, help="processes for each figure")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--repeat", help=argparse.SUPPRESS)
    parser.add_argument("--traced", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.repeat:
        print(json.dumps(repeats.repeated(options.repeat, options.size, options.traced)))
        return
    if options.worker:
        print(json.dumps(getattr(sizes, options.worker)(options.size)))
        return
    rows: list[list[str]] = []
    lines: dict[str, list[tuple[int, Row]]] = {}
    for name, (text, steps) in SWEEPS.items():
        for size in steps:
            if not options.quick or size <= QUICK:
                found = _median(name, size, options.processes)
                lines.setdefault(name, []).append((size, found))
                rows.append(_row(f"{size:,} {text}", found))
    for name, (text, size) in POINTS.items():
        found = _median(name, min(size, QUICK) if options.quick else size, options.processes)
        rows.append(_row(text, found))
    header = [
        "",
        "operators",
        "module calls",
        "no counter, s",
        "block, s",
        "report, s",
        "modules, s",
        "memory, MB",
    ]
    starts = table(["", "ms", "standard deviation"], _starts(max(3, 5 * options.processes)))
    left = _left(QUICK if options.quick else REPEATS)
    text = "\n\n".join(
        [_introduction(options.processes), table(header, rows), *left, "## How it starts", starts]
    )
    print(f"\n{text}")
    if options.write:
        _plot(lines, PAGE.with_name("scale.svg"))
        versions = {
            "torch": str(torch.__version__),
            "transformers": importlib.metadata.version("transformers"),
        }
        write(
            "scale", f"{text}\n\n{machine({'dispatchcount': dispatchcount.__version__} | versions)}"
        )


def _introduction(processes: int) -> str:
    from dispatchcount.capture.record import MAX_DISTINCT, MAX_INPUTS, MAX_NODES, MAX_RECORDS

    runs = "from one process" if processes == 1 else f"medians over {processes} processes"
    figures = {
        "limit": MAX_RECORDS,
        "distinct": MAX_DISTINCT,
        "nodes": MAX_NODES,
        "shapes": MAX_INPUTS,
    }
    return INTRODUCTION.format(processes=runs, **figures).strip()


def _left(size: int) -> list[str]:
    """What each kind of step leaves behind, as a section of the page."""
    rows = []
    for function in repeats.REPEATS:
        command = [sys.executable, __file__, "--repeat", function.__name__, "--size"]
        found = json.loads(_output([*command, str(size)]).splitlines()[-1])
        traced = json.loads(_output([*command, str(size // 10), "--traced"]).splitlines()[-1])
        megabytes = [f"{one['growth'] / 1e6:.1f}" for one in (found, traced)]
        rows.append(
            [
                str(function.__doc__),
                f"{int(found['operators']):,}",
                f"{int(found['paths']):,}",
                *megabytes,
            ]
        )
        print(f"{function.__name__}: {found} {traced}", flush=True)
    header = ["each step", "operators", "rows of calls", "memory, MB", "Python's, MB"]
    return [LEFT.format(repeats=size, first=repeats.FIRST).strip(), table(header, rows)]


def _median(name: str, size: int, processes: int) -> Row:
    command = [sys.executable, __file__, "--worker", name, "--size", str(size)]
    taken = [json.loads(_output(command).splitlines()[-1]) for _ in range(processes)]
    found = {key: statistics.median(row[key] for row in taken) for key in taken[0]}
    print(f"{name} {size:,}: {found}", flush=True)
    return found


def _output(command: Sequence[str]) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _row(text: str, found: Row) -> list[str]:
    times = [f"{found[key]:.3f}" for key in ("no counter", "block", "report", "modules")]
    return [
        text,
        f"{int(found['operators']):,}",
        f"{int(found['calls']):,}",
        *times,
        f"{found['growth'] / 1e6:.1f}",
    ]


def _starts(processes: int) -> list[list[str]]:
    """How long the import takes on top of torch's, and the commands that read a report."""
    first = "import time, torch; start = time.perf_counter(); import dispatchcount; {}; print(time.perf_counter() - start)"
    rows = []
    for text, use in (
        ("`import dispatchcount` after `import torch`", "pass"),
        ("the same, and `dispatchcount.profile`", "dispatchcount.profile"),
    ):
        values = [
            float(_output([sys.executable, "-c", first.format(use)])) for _ in range(processes)
        ]
        rows.append((text, pyperf.Benchmark([_run("import", value) for value in values])))
    with TemporaryDirectory() as folder:
        saved = str(Path(folder) / "report.json")
        with dispatchcount.profile() as prof:
            torch.nn.Linear(2, 2)(torch.rand(1, 2))
        prof.report.to_json(saved)
        commands = [
            ("`python -c pass`", ["-c", "pass"]),
            ("`python -m dispatchcount show`", ["-m", "dispatchcount", "show", saved]),
        ]
        for text, arguments in commands:
            out = str(Path(folder) / "command.json")
            runs = [
                "--processes",
                str(processes),
                "--values",
                "1",
                "--warmups",
                "0",
                "--loops",
                "1",
            ]
            environment = ["--inherit-environ", "PYTHONPATH", "--quiet", "-o", out]
            _output(
                [
                    sys.executable,
                    "-m",
                    "pyperf",
                    "command",
                    *runs,
                    *environment,
                    "--",
                    sys.executable,
                    *arguments,
                ]
            )
            rows.append((text, pyperf.Benchmark.load(out)))
            Path(out).unlink()
    return [
        [text, f"{found.median() * 1e3:.0f}", f"{found.stdev() * 1e3:.1f}"] for text, found in rows
    ]


def _run(name: str, value: float) -> pyperf.Run:
    return pyperf.Run([value], metadata={"name": name}, collect_metadata=False)


def _plot(lines: dict[str, list[tuple[int, Row]]], path: Path) -> None:
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = "scale"
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
    groups = (("operators",), ("signatures",), ("flat_modules", "nested_modules", "deep_modules"))
    for axis, names in zip(axes, groups, strict=True):
        for name in names:
            points: Any = lines[name]
            at = [size for size, _ in points]
            (line,) = axis.loglog(
                at, [row["block"] for _, row in points], marker="o", label=SWEEPS[name][0]
            )
            axis.loglog(
                at,
                [row["report"] for _, row in points],
                marker=".",
                linestyle=":",
                color=line.get_color(),
            )
        axis.set_xlabel(" or ".join(dict.fromkeys(name.rpartition("_")[2] for name in names)))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    axes[0].set_ylabel("seconds: block (line), report (dots)")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()

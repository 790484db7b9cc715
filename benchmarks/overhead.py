"""What counting costs: counters side by side on the same models, with the error of each.

    python benchmarks/overhead.py            prints the tables
    python benchmarks/overhead.py --write    puts them into docs/benchmarks.md as well

`--rounds 2 --processes 1` is quick and rough.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import pyperf
from measure import ToolError, first_run, measure, worker
from page import machine, table, write
from scenes import SCENES, Scene, scene
from tools import (
    ALONE,
    BARE,
    BLOCK,
    BLOCK_OF_MANY,
    EAGER,
    MANY,
    REFERENCE,
    REFERENCE_OF_MANY,
    Tool,
    interleaved,
)

import dispatchcount

INTRODUCTION = """
## What counting costs

Each time is that of one count, from nothing to the answer, in CPU time on one thread: the median over {values} values from
{processes} processes. Models without a counter, under a mode that only calls through, under dispatchcount and under torch's
FlopCounterMode take turns in one process; every other tool takes turns with the model alone in a process of its own.
`python benchmarks/overhead.py --write` measures it all again.

**Own work** is what a counter adds to a mode that only calls through, as a multiple of what that mode adds to no counter: an
empty mode is the least that counting by dispatch can cost. It is given for a block of one run, with what it takes to open and
close the block, and for each of {many} runs in one block. The empty mode asks not to be wrapped for torch's compiler, as ours
does; an ordinary one costs about a microsecond an operator more, and set against that the figures are lower.
"""

ERRORS = """
The **error** compares each tool's MACs with the right count of the next column's model, worked out by hand in
`benchmarks/scenes.py`. FlopCounterMode's and torch.profiler's flops are halved. Of fvcore and mmengine only matrix products and
convolutions are taken; the other tools do not split their sum, so what they add for norms and activations shows as an error.
A tool that raised is named with what it raised. **First** is the first count in a process, with what a tool imports and learns
then.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--rounds", type=int, default=15, help="values of a tool in a process")
    parser.add_argument(
        "--processes", type=int, default=3, help="processes for the tools that take turns"
    )
    parser.add_argument(
        "--scenes",
        nargs="+",
        default=list(SCENES),
        choices=list(SCENES),
        metavar="SCENE",
        help=", ".join(SCENES),
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--tools", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.tools, options.rounds, options.out)
        return
    own: list[list[str]] = []
    parts: list[str] = []
    for key in options.scenes:
        target = scene(key)
        taking_turns = interleaved(target)
        turns = measure(
            key,
            [tool.name for tool in taking_turns],
            rounds=options.rounds,
            processes=options.processes,
        )
        own.append(_own_work(target, turns))
        header = ["counter", "one count, ms", "× no counter", "first, ms", "MACs", "error"]
        rows = [_row(tool, target, turns[tool.name], turns[EAGER.name]) for tool in taking_turns]
        rows += [
            _alone(key, tool, target, max(3, options.rounds // 3)) for tool in ALONE if tool.version
        ]
        parts.append(
            f"### {target.name}\n\nThe right count is {target.macs:,} "
            f"MACs.\n\n{table(header, rows)}"
        )
        print(f"{parts[-1]}\n", flush=True)
    text = (
        INTRODUCTION.format(
            values=options.rounds * options.processes, processes=options.processes, many=MANY
        )
        + "\n"
        + table(OWN, own)
    )
    print(text)
    if options.write:
        packages = {tool.package: tool.version for tool in ALONE if tool.version}
        write("overhead", "\n\n".join([text.strip(), machine(packages), ERRORS.strip(), *parts]))


OWN = ["model", "operators", "no counter, ms", "empty mode adds, µs an operator", *(
    f"{what}{runs}"
    for runs in ("", f", of {MANY}")
    for what in ("dispatchcount's own work", "FlopCounterMode's own work", "the second ÷ the first")
), "dispatchcount over no counter"]  # fmt: skip


def _own_work(target: Scene, turns: Mapping[str, pyperf.Benchmark]) -> list[str]:
    with dispatchcount.profile(target.model) as prof:
        target.run()
    operators = prof.report.total.calls
    median = {name: benchmark.median() for name, benchmark in turns.items()}
    eager, bare = median[EAGER.name], median[BARE.name]
    unit = bare - eager
    row = [target.name, f"{operators:,}", f"{eager * 1e3:.2f}", f"{unit / operators * 1e6:.2f}"]
    for ours, theirs in ((BLOCK, REFERENCE), (BLOCK_OF_MANY, REFERENCE_OF_MANY)):
        if target.big:  # there the operators' own time varies by more than all of this
            row += ["", "", ""]
        else:
            own = [median[tool.name] - bare for tool in (ours, theirs)]
            row += [f"{own[0] / unit:.2f}", f"{own[1] / unit:.2f}", f"{own[1] / own[0]:.1f}"]
    return [*row, f"{median[BLOCK.name] / eager - 1:+.1%}"]


def _alone(key: str, tool: Tool, target: Scene, rounds: int) -> list[str]:
    if target.training and not tool.training:
        return [tool.name, "forward only", *[""] * 4]
    try:
        found = measure(key, [EAGER.name, tool.name], rounds=rounds, processes=1)
    except ToolError as error:
        return [tool.name, f"raised {error}", *[""] * 4]
    return _row(tool, target, found[tool.name], found[EAGER.name])


def _row(tool: Tool, target: Scene, taken: pyperf.Benchmark, eager: pyperf.Benchmark) -> list[str]:
    macs = taken.get_metadata()["macs"]
    counted = (
        ["", ""]
        if macs < 0
        else [f"{macs:,}", "0" if macs == target.macs else f"{macs / target.macs - 1:+.2%}"]
    )
    times = [taken.median() * 1e3, taken.median() / eager.median(), first_run(taken) * 1e3]
    return [tool.name, f"{times[0]:.2f}", f"{times[1]:.2f}", f"{times[2]:.0f}", *counted]


if __name__ == "__main__":
    main()

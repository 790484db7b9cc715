"""What counting costs: counters side by side on the same models, with the error of each.

    python benchmarks/overhead.py            prints the tables
    python benchmarks/overhead.py --write    puts them into docs/benchmarks.md as well

`--rounds 2 --processes 1` is quick and rough.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import pyperf
from measure import Failed, first_run, measure, worker
from page import machine, table, write
from scenes import SCENES, Scene, scene
from tools import ALONE, BARE, BLOCK, EAGER, INTERLEAVED, REFERENCE, Tool

import dispatchcount

INTRODUCTION = """
## What counting costs

Each time is that of one count, from nothing to the answer, in CPU time on one thread: the median over {values} values from
{processes} processes. Models without a counter, under a mode that only calls through, under dispatchcount and under torch's
FlopCounterMode take turns in one process; every other tool takes turns with the model alone in a process of its own.
`python benchmarks/overhead.py --write` measures it all again.

**Own work** is what a counter adds to a mode that only calls through, as a multiple of what that mode adds to no counter: an
empty mode is the least that counting by dispatch can cost.
"""

ERRORS = """
The **error** compares each tool's MACs with the right count of the next column's model, worked out by hand in
`benchmarks/scenes.py`. FlopCounterMode's and torch.profiler's flops are halved. Of fvcore and mmengine only matrix products and
convolutions are taken; the other tools do not split their sum, so what they add for norms and activations shows as an error.
A tool that raised is named with what it raised. **First** is the first count in a process, with what a tool imports and learns then.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--rounds", type=int, default=15, help="values of a tool in a process")
    parser.add_argument("--processes", type=int, default=3, help="processes for the tools that take turns")
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=list(SCENES), metavar="SCENE", help=", ".join(SCENES))
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
        turns = measure(key, [tool.name for tool in INTERLEAVED], rounds=options.rounds, processes=options.processes)
        own.append(_own_work(target, turns))
        header = ["counter", "one count, ms", "× no counter", "first, ms", "MACs", "error"]
        rows = [_row(tool, target, turns[tool.name], turns[EAGER.name]) for tool in INTERLEAVED]
        rows += [_alone(key, tool, target, max(3, options.rounds // 3)) for tool in ALONE if tool.version]
        parts.append(f"### {target.name}\n\nThe right count is {target.macs:,} MACs.\n\n{table(header, rows)}")
        print(f"{parts[-1]}\n", flush=True)
    text = INTRODUCTION.format(values=options.rounds * options.processes, processes=options.processes) + "\n" + table(OWN, own)
    print(text)
    if options.write:
        packages = {tool.package: tool.version for tool in [*INTERLEAVED, *ALONE] if tool.version}
        write("overhead", "\n\n".join([text.strip(), machine(packages), ERRORS.strip(), *parts]))


OWN = [
    "model",
    "operators",
    "no counter, ms",
    "empty mode adds, µs per operator",
    "dispatchcount's own work",
    "FlopCounterMode's own work",
    "FlopCounterMode's ÷ dispatchcount's",
    "dispatchcount over no counter",
]


def _own_work(target: Scene, turns: Mapping[str, pyperf.Benchmark]) -> list[str]:
    with dispatchcount.profile(target.model) as prof:
        target.run()
    operators = prof.report.total.calls
    eager, bare, block, reference = (turns[tool.name].median() for tool in (EAGER, BARE, BLOCK, REFERENCE))
    unit = bare - eager
    return [
        target.name,
        f"{operators:,}",
        f"{eager * 1e3:.2f}",
        f"{unit / operators * 1e6:.2f}",
        f"{(block - bare) / unit:.2f}",
        f"{(reference - bare) / unit:.2f}",
        f"{(reference - bare) / (block - bare):.1f}",
        f"{block / eager - 1:+.1%}",
    ]


def _alone(key: str, tool: Tool, target: Scene, rounds: int) -> list[str]:
    if target.training and not tool.training:
        return [tool.name, "forward only", *[""] * 4]
    try:
        found = measure(key, [EAGER.name, tool.name], rounds=rounds, processes=1)
    except Failed as error:
        return [tool.name, f"raised {error}", *[""] * 4]
    return _row(tool, target, found[tool.name], found[EAGER.name])


def _row(tool: Tool, target: Scene, taken: pyperf.Benchmark, eager: pyperf.Benchmark) -> list[str]:
    macs = taken.get_metadata()["macs"]
    counted = ["", ""] if macs < 0 else [f"{macs:,}", "0" if macs == target.macs else f"{macs / target.macs - 1:+.2%}"]
    times = [taken.median() * 1e3, taken.median() / eager.median(), first_run(taken) * 1e3]
    return [tool.name, f"{times[0]:.2f}", f"{times[1]:.2f}", f"{times[2]:.0f}", *counted]


if __name__ == "__main__":
    main()

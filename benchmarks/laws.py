"""Laws of many models, each held against direct runs at random sizes inside its domain. Writes ``docs/law-models.md``.

``python -m benchmarks.laws [--random 20] [NAME …]`` makes the laws of all models or of those named.
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

import dispatchcount as dc
from benchmarks.law_models import CASES, Case
from benchmarks.page import machine, table


def measure(name: str, case: Case, tries: int) -> dict[str, Any]:
    """One row of the page."""
    with torch.device("meta"):
        model = case.build()
    training = "training" in name
    with torch.set_grad_enabled(training):
        begin = time.perf_counter()

        def run(**sizes: int) -> None:
            case.run(model, **sizes)

        law = dc.law(model, run, far=case.far, **case.sizes)
        seconds = time.perf_counter() - begin
        faults, tried = [], 0
        try:
            tried = len(law.verify(model, run, tries, seed=crc32(name.encode())))
        except dc.LawError as error:
            faults.append(str(error))
    return {
        "name": name,
        "law": law,
        "runs": law.runs,
        "seconds": seconds,
        "faults": faults,
        "tried": tried,
    }


PAGE = Path(__file__).resolve().parents[1] / "docs" / "law-models.md"

HEAD = """# Laws of {count} models

Each law is found by `dc.law` from runs on meta, at sizes that it chooses itself (see [laws](laws.md)). The last column has two far points that it was
not made from and at which a direct run agreed. Afterwards the law is held against direct runs at {tries} random sizes inside its domain, every order
of magnitude as likely as any other: every metric of every module that the law gives a figure for is the same integer. {faults} Seconds are of wall time, on a machine that did other
work at the same time.

`python -m benchmarks.laws` makes this page. {machine}

"""


def row_of(result: dict[str, Any]) -> list[str]:
    """A model's line on the page."""
    law = result["law"]
    try:
        formula = str(law.macs)
    except dc.LawError:
        formula = "refused"
    special = "; ".join(f"{where}: {', '.join(m)}" for where, m in law.special.items())
    marks = [f"without {special}" if special else ""]
    if law.refusals:
        marks.append(f"{len(law.refusals)} rows refused ({law.refusals[0].reason.split(':')[0]})")
    if law.estimates:
        marks.append("an upper bound: groups of experts are not known on meta")
    return [
        result["name"],
        formula,
        "; ".join(law.holds.values()),
        str(law.runs),
        f"{result['seconds']:.1f}",
        ". ".join(mark for mark in marks if mark),
        "; ".join(far_points(law)),
    ]


def far_points(law: dc.Law) -> list[str]:
    """The two points with the largest sizes, of those at which a run agreed."""
    points = sorted(law.checked, key=lambda point: prod(point.values()))[-2:]
    return [", ".join(f"{size} = {x:,}" for size, x in point.items()) for point in points]


def main() -> None:
    """Make the laws, and the page if all models were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models; all by default")
    parser.add_argument("--random", type=int, default=20, help="direct runs for each law")
    args = parser.parse_args()
    results = []
    for name in args.names or CASES:
        result = measure(name, CASES[name], args.random)
        results.append(result)
        print(" | ".join(row_of(result)), "| faults:", result["faults"][:2], flush=True)
    if args.names:
        return
    faults = sum(len(result["faults"]) for result in results)
    header = [
        "model",
        "MACs",
        "holds for",
        "runs",
        "seconds",
        "figures that have no formula",
        "two far points",
    ]
    PAGE.write_text(
        HEAD.format(
            count=len(results),
            tries=args.random,
            faults="No run contradicted a law."
            if not faults
            else f"{faults} runs contradicted one.",
            machine=machine(
                {"torch": torch.__version__}
                | {name: version(name) for name in ("transformers", "torchvision", "timm")}
            ),
        )
        + table(header, [row_of(result) for result in results])
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()

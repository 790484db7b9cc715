"""Laws of many models, each held against direct runs at random sizes inside its domain. Writes ``docs/law-models.md``.

``python -m benchmarks.laws [--random 20] [NAME …]`` makes the laws of all models or of those named.
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version
from math import prod
from pathlib import Path
from random import Random
from typing import Any

import torch

import dispatchcount as dc
from benchmarks.law_models import CASES, Case
from benchmarks.page import machine, table
from dispatchcount.laws.figures import FIGURES

MOST_CALLS = 8000
"""So many operator calls may a direct run have."""


def far_bound(law: dc.Law, size: str) -> int:
    """The largest value of a size that the law was checked at."""
    return max((point[size] for point in law.checked), default=law.start[size])


def inside(law: dc.Law, random: Random) -> dict[str, int]:
    """Random sizes inside the domain, as large as those checked, every order of magnitude as likely as any other.

    Loops in Python bound them, for a run of more calls takes minutes.
    """
    steps = {}
    for range_ in law.domain().ranges:
        most = max(far_bound(law, range_.size), range_.least + 40 * range_.step)
        if range_.most is not None:
            most = min(most, range_.most)
        high = (most - range_.least) // range_.step
        steps[range_.size] = range_, int((high + 1) ** random.random()) - 1
    while True:
        point = {size: range_.least + k * range_.step for size, (range_, k) in steps.items()}
        figures = law.total.at(point)
        calls = 0 if "calls" in figures.absent else figures.calls
        if calls <= MOST_CALLS or not any(k for _, k in steps.values()):
            return point
        steps = {size: (range_, k // 2) for size, (range_, k) in steps.items()}


def contradicted(law: dc.Law, model: Any, case: Case, point: dict[str, int]) -> str:
    """How a direct run contradicts the law, ``""`` if it does not."""
    try:
        figures = law(**point)
    except dc.LawError:
        return ""
    try:
        with dc.profile(model, convention=law.convention) as prof:
            case.run(model, **point)
    except RuntimeError as error:
        if "overflow" in str(error):  # more elements than 64 bits count
            return ""
        raise
    report = prof.report
    for metric in FIGURES:
        if metric not in figures.absent and getattr(figures, metric) != getattr(
            report.total, metric
        ):
            return f"{metric} at {point}: the law says {getattr(figures, metric):,}, a run {getattr(report.total, metric):,}"
    rows, formulas = report.by_module(), law.by_module()
    for name, row in rows.items():
        found = formulas[name].at(point)
        for metric in FIGURES:
            if metric not in found.absent and getattr(found, metric) != getattr(row, metric):
                return f"{name} {metric} at {point}: {getattr(found, metric):,} and {getattr(row, metric):,}"
    return ""


def measure(name: str, case: Case, tries: int) -> dict[str, Any]:
    """One row of the page."""
    with torch.device("meta"):
        model = case.build()
    training = "training" in name
    with torch.set_grad_enabled(training):
        begin = time.perf_counter()
        law = dc.law(model, lambda **sizes: case.run(model, **sizes), far=case.far, **case.sizes)
        seconds = time.perf_counter() - begin
        random = Random(name)
        faults, tried = [], 0
        for _ in range(tries):
            tried += 1
            fault = contradicted(law, model, case, inside(law, random))
            if fault:
                faults.append(fault)
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

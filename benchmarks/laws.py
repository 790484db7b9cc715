"""Laws of many models, each held against direct runs at random sizes inside its domain. Writes ``docs/law-models.md``.

``python -m benchmarks.laws [--random 20] [NAME …]`` makes the laws of all models or of those named.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random
from typing import Any

import torch

import dispatchcount as dc
from benchmarks.law_models import CASES, Case
from dispatchcount.laws.figures import FIGURES


def far_bound(law: dc.Law, size: str) -> int:
    """The largest value of a size that the law was checked at."""
    return max((point[size] for point in law.checked), default=law.start[size])


def inside(law: dc.Law, random: Random) -> dict[str, int]:
    """Random sizes inside the domain, as large as those checked."""
    point = {}
    for range_ in law.domain().ranges:
        most = max(far_bound(law, range_.size), range_.least + 40 * range_.step)
        if range_.most is not None:
            most = min(most, range_.most)
        # Small sizes are as likely as large ones, and the smallest are tried too.
        high = random.choice([3, 40, 10**9])
        steps = random.randint(0, min(high, (most - range_.least) // range_.step))
        point[range_.size] = range_.least + steps * range_.step
    return point


def contradicted(law: dc.Law, model: Any, case: Case, point: dict[str, int]) -> str:
    """How a direct run contradicts the law, ``""`` if it does not."""
    try:
        figures = law(**point)
    except dc.LawError:
        return ""
    with dc.profile(model, convention=law.convention) as prof:
        case.run(model, **point)
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
            point = inside(law, random)
            calls = law.total.at(point) if not law.reason(["calls"], point) else None
            if calls is not None and calls.calls > 8000:
                point = {size: law.start[size] for size in law.sizes}
            tried += 1
            fault = contradicted(law, model, case, point)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models; all by default")
    parser.add_argument("--random", type=int, default=20, help="direct runs for each law")
    args = parser.parse_args()
    for name in args.names or CASES:
        try:
            row = measure(name, CASES[name], args.random)
        except dc.LawError as error:
            print(f"{name}: NO LAW {error}", flush=True)
            continue
        except Exception as error:
            print(f"{name}: ERROR {type(error).__name__} {error}"[:500], flush=True)
            continue
        law = row["law"]
        try:
            formula = str(law.macs)
        except dc.LawError as error:
            formula = f"refused: {error}"
        print(
            f"{name} | {formula} | {'; '.join(law.holds.values())} | {row['runs']} runs | {row['seconds']:.1f} s | "
            f"{len(law.refusals)} refused | special {law.special} | {row['tried']} tried, {len(row['faults'])} faults {row['faults'][:2]}",
            flush=True,
        )
        if law.refusals:
            print("    ", law.refusals[0].reason, flush=True)


if __name__ == "__main__":
    sys.exit(main())

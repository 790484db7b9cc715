"""Holds a law against more runs of the code that it is of, at random sizes inside its domain.

A law was compared with runs that it was not made from. But code may do something else at sizes that
nobody chose: in one residue class, in a narrow band. If a law is wrong at a part ``p`` of the
sizes, all of ``n`` random runs miss it with the chance ``(1 - p)ⁿ``: for an eighth of the sizes and
50 runs, one in 800.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from dispatchcount.errors import LawError, expect
from dispatchcount.laws.figures import FIGURES, LawStats
from dispatchcount.laws.law import LawData
from dispatchcount.laws.row import LawRow, Sums
from dispatchcount.laws.runs import Raised, Runs
from dispatchcount.report.metrics import Stats
from dispatchcount.report.model import ReportData

MOST_CALLS = 8000
"""So many operator calls may a run have, if a smaller one is possible: Python's loops are slow."""

LEAST_SPAN = 40
"""So many values of a size may be tried at least, where the law was compared with small ones."""

Sizes = Mapping[str, int]


def verify(law: LawData, runs: Runs, times: int, seed: int) -> tuple[dict[str, int], ...]:
    """The sizes at which runs agreed with the law. `Law.verify` says what the arguments are.

    Raises:
        LawError: a run disagrees or raises, or the law is a view.
        TypeError: `times` is no integer.
        ValueError: `times` is below 1.
    """
    expect(times, int, "times", "how many runs to compare with, from 1 up")
    if times < 1:
        raise ValueError(f"times={times}: give how many runs to compare with, from 1 up")
    if law.altered:
        raise LawError(
            f"no run can agree with this view: {'; '.join(law.altered)}; verify the law itself"
        )
    random = Random(seed)
    points = [random_sizes(law, random) for _ in range(times)]
    agreed: list[dict[str, int]] = []
    for point in dict.fromkeys(tuple(sizes[name] for name in law.sizes) for sizes in points):
        sizes = runs.named(point)
        if law.domain().reason(sizes):
            continue  # a single size that the domain leaves out
        report = runs.report(point, law.convention)
        if isinstance(report, Raised):
            if report.too_large:
                continue  # for this machine; the law may be right
            raise LawError(
                f"the law holds for {runs.text(point)}, but the code raises there: {report}"
            ) from report.error
        for row, metric, says, ran in differences(law, report, sizes):
            raise LawError(
                f"the law is wrong at {runs.text(point)}: it says {says:,} {metric} for {row}, and "
                f"a run has {ran:,}; {len(agreed)} runs before it agreed"
            )
        agreed.append(sizes)
    return tuple(agreed)


def random_sizes(law: LawData, random: Random) -> dict[str, int]:
    """Random sizes inside the domain, as large as those that the law was compared with. Every order
    of magnitude is as likely as any other.
    """
    ranges = law.domain().ranges
    steps = {}
    for allowed in ranges:
        size = allowed.size
        furthest = max((point[size] for point in law.checked), default=law.start[size])
        most = max(furthest, allowed.least + LEAST_SPAN * allowed.step)
        if allowed.most is not None:
            most = min(most, allowed.most)
        number = (most - allowed.least) // allowed.step + 1
        steps[size] = int(number ** random.random()) - 1
    while True:
        sizes = {one.size: one.least + steps[one.size] * one.step for one in ranges}
        figures = law.total.at(sizes)
        calls = 0 if "calls" in figures.absent else figures.calls
        if calls <= MOST_CALLS or not any(steps.values()):
            return sizes
        steps = {size: count // 2 for size, count in steps.items()}


def differences(
    law: LawData, report: ReportData, sizes: Sizes
) -> Iterator[tuple[str, str, int, int]]:
    """Where a run does not have what the law says: the row, the metric and both figures.

    The whole, every module, operator and phase are compared, in the metrics that have a formula at
    these sizes. What only the law or only the run has is compared with nothing: work that moved to
    another module or operator leaves the whole as it was.
    """
    yield from _of_row("the whole", law.total.at(sizes), report.total, FIGURES)
    spent = [metric for metric in FIGURES if metric != "params"]  # which the whole has told of
    for kind, formulas, rows, unknown in (
        ("module", law.by_module(), report.by_module(), LawRow(law, Sums(), of_module=True)),
        (
            "operator",
            law.by_operator(),
            report.by_operator(),
            LawRow(law, Sums(), of_operator=True),
        ),
        ("phase", law.by_phase(), report.by_phase(), LawRow(law, Sums())),
    ):
        for name in dict.fromkeys((*rows, *formulas)):
            says = formulas.get(name, unknown).at(sizes)
            yield from _of_row(f"{kind} {name or '(root)'}", says, rows.get(name, Stats()), spent)


def _of_row(
    name: str, says: LawStats, ran: Stats, metrics: Sequence[str]
) -> Iterator[tuple[str, str, int, int]]:
    for metric in metrics:
        if metric not in says.absent:
            mine, theirs = getattr(says, metric), getattr(ran, metric)
            if mine != theirs:
                yield name, metric, mine, theirs

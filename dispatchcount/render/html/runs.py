"""The runs of a page: a block, its phases and its samples, each as lines of figures by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dispatchcount.render.html.collectives import Collectives, sent
from dispatchcount.render.html.figures import Figures, column_for_script, in_columns
from dispatchcount.report.memory_totals import own_memory
from dispatchcount.report.metrics import Stats
from dispatchcount.report.rows import PHASES
from dispatchcount.report.tally import Tally

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

MOST_SAMPLE_ROWS = 300_000
"""Rows that all runs of samples may have together; samples beyond have their figure alone."""


class Operators:
    """The operators of a page, each with its status."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._statuses: list[str] = []

    def number(self, name: str, status: str) -> int:
        """The number of an operator; its first status stays."""
        number = self._numbers.setdefault(name, len(self._numbers))
        if number == len(self._statuses):
            self._statuses.append(status)
        return number

    def all(self) -> dict[str, list[str]]:
        """Names and statuses, by number."""
        return {"name": list(self._numbers), "status": self._statuses}


class Shared:
    """What the runs of one page share: its lines of figures, its operators and collectives.

    Args:
        figures: the page's figures.
    """

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.operators = Operators()
        self.collectives = Collectives()

    def for_script(self) -> dict[str, Any]:
        """All of it, once the runs are made."""
        return {
            "figures": self.figures.columns(),
            "operators": self.operators.all(),
            "collectives": self.collectives.all(),
        }


def block(
    report: ReportData,
    place: dict[int, int],
    shared: Shared,
    label: str,
    phases: Sequence[int] = (),
) -> dict[str, Any]:
    """The run of a whole block: what each module has, what was done in it, and what was sent.

    Args:
        report: the report.
        place: the row of each module's index.
        shared: what the page's runs share.
        label: the run's name.
        phases: the page's runs of the phases. Their lines are those of the block, which has none of
            its own then.
    """
    figures = shared.figures
    stats = report.by_module()
    memory = own_memory(report)
    rows = [stats[report.modules[index].name] for index in place]
    held = [
        figures.held(row.self_ or row, memory[index])
        for index, row in zip(place, rows, strict=True)
    ]
    return {
        "label": label,
        "kind": "block",
        "base": None,
        "modules": {
            "row": list(place.values()),
            "calls": column_for_script(row.calls for row in rows),
            "held": in_columns(figures.held_keys, held),
        },
        "done": {"runs": list(phases)} if phases else lines(report, None, place, shared),
        "collectives": sent(report, None, place, figures, shared.collectives),
    }


def phases_of(*reports: ReportData) -> list[str]:
    """The phases for which a page of these reports has runs, in the order of a step.

    They are the phases of any of the reports. There are none where all work was of one phase, which
    the run of the whole block shows.
    """
    ran = {entry.phase for report in reports for entry in report.entries}
    names = [phase for phase in PHASES if phase in ran]
    return names if len(names) > 1 else []


def phases(
    report: ReportData,
    place: dict[int, int],
    shared: Shared,
    names: Sequence[str],
    base: int = 0,
) -> list[dict[str, Any]]:
    """A run for each of these phases. What a phase did not touch has no line.

    Args:
        report: the report.
        place: the row of each module's index.
        shared: what the page's runs share.
        names: the phases, as `phases_of` gives them. One that the report does not have gets a run
            without lines.
        base: the page's run of the report's whole block. It has the figures that belong to modules.
    """
    return [
        {
            "label": name,
            "kind": "phase",
            "base": base,
            "modules": None,
            "done": lines(report, name, place, shared),
            "collectives": sent(report, name, place, shared.figures, shared.collectives),
        }
        for name in names
    ]


def samples(
    report: ReportData, place: dict[int, int], figures: Figures
) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """A run for each profile of the samples, as far as there is room.

    Returns:
        The runs, and the place among them of each profile that has one. Operators of a sample are
        not recorded.
    """
    runs: list[dict[str, Any]] = []
    found: dict[int, int] = {}
    for number in _with_runs(report):
        profile = report.profiles[number]
        tallies: defaultdict[int, Tally] = defaultdict(Tally)
        for done in profile:
            if done.module in place:
                tallies[done.module].add_cost(done.cost)
                tallies[done.module].calls += done.calls
        found[number] = len(runs)
        runs.append(
            {
                "label": "",
                "kind": "sample",
                "base": 0,
                "modules": None,
                "done": {
                    "row": [place[index] for index in tallies],
                    "line": [
                        figures.line(tally.stats(report.flop_definition))
                        for tally in tallies.values()
                    ],
                    "operator": None,
                },
                "collectives": None,
            }
        )
    return runs, found


def _with_runs(report: ReportData) -> list[int]:
    """The profiles that get a run, in order.

    Those of the samples with the least, the median and the most flops come before all others, so
    that the page can show them however many there are.
    """
    flops = report.sample_flops()
    by_flops = sorted(range(len(flops)), key=lambda sample: flops[sample])
    told = [by_flops[place] for place in (-1, 0, (len(flops) - 1) // 2)] if flops else []
    first = [report.samples[sample].profile for sample in told]
    room = MOST_SAMPLE_ROWS
    chosen = []
    for number in dict.fromkeys([*first, *range(len(report.profiles))]):
        rows = len(report.profiles[number])
        if rows <= room:
            room -= rows
            chosen.append(number)
    return sorted(chosen)


def lines(
    report: ReportData,
    phase: str | None,
    place: dict[int, int],
    shared: Shared,
    *,
    timed: bool = True,
) -> dict[str, list[int]]:
    """What each operator did in each module: one place of the lists is a pair of the two.

    What a module did itself is the sum of its lines.

    Args:
        report: the report.
        phase: the phase of the run, None for all.
        place: the row of each module's index.
        shared: what the page's runs share.
        timed: False to leave out the time, by which runs differ that are alike otherwise.
    """
    tallies: defaultdict[tuple[int, int], Tally] = defaultdict(Tally)
    for entry in report.entries:
        if phase is None or entry.phase == phase:
            number = shared.operators.number(entry.op, entry.status)
            tally = tallies[report.paths[entry.path].module, number]
            tally.add_cost(entry.cost)
            tally.calls += entry.calls
            tally.time_ns += entry.time_ns if timed else 0
    rows: list[Stats] = [tally.stats(report.flop_definition) for tally in tallies.values()]
    return {
        "row": [place[module] for module, _ in tallies],
        "line": [shared.figures.line(row) for row in rows],
        "operator": [operator for _, operator in tallies],
    }

"""What the page of a job's ranks shows: the page of all of them together, and each rank's figures.

The page of a report shows several runs over the same rows; here every rank is a run as well. Most
figures of most modules are the same on all ranks, so a figure is held by row: once, or a list with
the figure of each rank. Lists of operators and of collectives that ranks have alike stand once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from dispatchcount.render.html.collectives import sent
from dispatchcount.render.html.data import report_data
from dispatchcount.render.html.figures import Figures, for_script
from dispatchcount.render.html.groups import Groups, split
from dispatchcount.render.html.runs import Shared, lines
from dispatchcount.report.by_module import own_stats
from dispatchcount.report.memory_totals import own_memory

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData
    from dispatchcount.report.ranks import RanksData

MOST_LETTERS = 8_000_000
"""Letters that the figures of single ranks may take in the file. Metrics beyond are left out."""

MOST_PAIRS = 40_000
"""Lines that lists of operators, and those of collectives, may have on all ranks together."""

_FIRST = ("calls", "flops", "wire_bytes", "time_ns", "macs")
"""The figures that are wanted most, in this order; memory comes next, then all others."""

Own = dict[str, list[Any]]
"""By key of a figure: for each row what every rank has itself, or a list with that of each rank."""

Values = list[list[tuple[int, ...]]]
"""For each row and rank what was done and what the module has, in the order of `_keys`."""


def ranks_data(ranks: RanksData[Any], title: str) -> dict[str, Any]:
    """All that the page shows. Integers that JavaScript cannot hold exactly become decimal text.

    Raises:
        ValueError: the conventions of the reports differ.
    """
    data, rows, shared = report_data(ranks.sum, title, "All ranks")
    # A module has one row on the page and an index of its own in each report.
    places = [
        {
            index: rows[module.name]
            for index, module in enumerate(report.modules)
            if module.name in rows
        }
        for report in ranks.reports
    ]
    values = _values(ranks, places, len(rows), shared.figures)
    own, left_out = _within(_own(values, _keys(shared.figures)))
    data["rows"]["folds"] = _folds(data["rows"], _kinds(values, shared.figures))
    data["ranks"] = {
        "world": ranks.world,
        "rank": list(ranks.ranks),
        "missing": list(ranks.missing),
        "planned": ranks.planned,
        "own": own,
        "left_out": left_out,
        "peak": _peaks(ranks),
        "stopped": {
            str(place): {"module": report.meta.stopped_in, "error": report.meta.error}
            for place, report in enumerate(ranks.reports)
            if report.meta.error is not None
        },
        **_lists(ranks, places, shared, _sums(values, shared.figures.keys.index("flops"))),
        "groups": [
            [shared.collectives.group(group) for group in report.groups] for report in ranks.reports
        ],
    }
    return data | shared.for_script()


def _values(
    ranks: RanksData[Any], places: list[dict[int, int]], size: int, figures: Figures
) -> Values:
    """The figures of every row on every rank; zeros where a rank does not have the module."""
    nothing = (0,) * len(_keys(figures))
    found: Values = [[nothing] * len(ranks.reports) for _ in range(size)]
    for number, (report, place) in enumerate(zip(ranks.reports, places, strict=True)):
        stats = own_stats(report)
        held = own_memory(report)
        for index, row in place.items():
            own = stats[index]
            found[row][number] = figures.values(own) + figures.held(own, held[index])
    return found


def _keys(figures: Figures) -> list[str]:
    """What each place of `Values` holds."""
    return [*figures.keys, *figures.held_keys]


def _own(values: Values, keys: list[str]) -> Own:
    """The figures by metric, each that all ranks have alike once."""
    found: Own = {key: [] for key in keys}
    for row in values:
        for key, column in zip(keys, zip(*row, strict=True), strict=True):
            alike = len(set(column)) == 1
            found[key].append(for_script(column[0]) if alike else [*map(for_script, column)])
    return found


def _kinds(values: Values, figures: Figures) -> list[int]:
    """For each row a number that rows share which are equal on each rank, measurements aside."""
    measured = {metric.key for metric in figures.metrics if metric.measured}
    compared = [
        place
        for place, key in enumerate(_keys(figures))
        if key not in measured and not key.startswith("memory_")
    ]
    known: dict[tuple[Any, ...], int] = {}
    kinds = []
    for row in values:
        key = tuple(one[place] for one in row for place in compared)
        kinds.append(known.setdefault(key, len(known)))
    return kinds


def _folds(rows: dict[str, Any], kinds: list[int]) -> dict[str, Any]:
    """Siblings stand as one if each rank has them alike; equal sums alone are not enough."""
    folds = rows["folds"]
    groups = Groups(folds["members"], folds["label"], set(folds["merged"]))
    return split(groups, rows["parent"], rows["name"], kinds).for_script()


def _within(own: Own) -> tuple[Own, list[str]]:
    """As many figures as the file has room for, and the keys of those that are left out."""
    wanted = [
        *(key for key in _FIRST if key in own),
        *(key for key in own if key.startswith("memory_")),
    ]
    wanted += [key for key in own if key not in wanted]
    room = MOST_LETTERS
    kept: Own = {}
    for key in wanted:
        letters = len(orjson.dumps(own[key]))
        # Without calls and flops there would be no map of the ranks at all.
        if letters <= room or key in ("calls", "flops"):
            room -= letters
            kept[key] = own[key]
    return kept, [key for key in own if key not in kept]


def _peaks(ranks: RanksData[Any]) -> list[dict[str, Any] | None] | None:
    """The most memory that was in use on each rank, and where; None if it was not followed."""
    if all(report.memory is None for report in ranks.reports):
        return None
    return [
        report.memory
        and {
            "peak": for_script(report.memory.peak),
            "module": report.memory.peak_module,
            "operator": report.memory.peak_op,
        }
        for report in ranks.reports
    ]


def _sums(values: Values, place: int) -> list[int]:
    """One figure of all modules together, for each rank."""
    return [sum(figures[place] for figures in of_rank) for of_rank in zip(*values, strict=True)]


def _lists(
    ranks: RanksData[Any], places: list[dict[int, int]], shared: Shared, flops: list[int]
) -> dict[str, Any]:
    """What operators did on each rank, and what it sent; ranks that do the same share the lists.

    Collectives tell groups by their place among those of the rank, so that ranks share a list that
    do the same in groups of their own. For where there are more lists than the page has room for,
    the ranks with the most flops come first.

    Returns:
        The lists, and for each rank the place of its own; -1 for one that is left out.
    """
    operators: list[dict[str, list[int]]] = []
    collectives: list[dict[str, list[int]] | None] = []
    of = [-1] * len(ranks.reports)
    known: dict[tuple[Any, ...], int] = {}
    room = MOST_PAIRS
    for number in sorted(range(len(of)), key=lambda number: -flops[number]):
        report, place = ranks.reports[number], places[number]
        key = _done(report, place)
        # A key is long, and hashed once: the number of its lists, or -1 where there is no room.
        of[number] = known.setdefault(key, len(operators))
        if of[number] == len(operators):
            if len(key) > room:
                of[number] = known[key] = -1
                continue
            did = lines(report, None, place, shared, timed=False)
            out = sent(report, None, place, shared.figures, shared.collectives)
            room -= len(did["row"]) + (len(out["row"]) if out else 0)
            operators.append(did)
            collectives.append(out and {name: out[name] for name in out if name != "groups"})
    return {"operators": operators, "collectives": collectives, "of": of}


def _done(report: ReportData, place: dict[int, int]) -> tuple[Any, ...]:
    """What a rank did, times aside: equal for ranks whose lists are equal."""
    rows = [place.get(path.module, -1) for path in report.paths]
    return tuple(
        (
            rows[entry.path],
            entry.op,
            entry.status,
            entry.calls,
            entry.cost,
            entry.group,
            None if entry.issuer is None else place.get(entry.issuer, -1),
            entry.control,
        )
        for entry in report.entries
    )

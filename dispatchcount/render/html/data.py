"""What the page of a report shows, as plain data for its script: runs × rows.

Every view of the page (chart, tables, samples) shows one run. The rows are modules; a run says for
each row which lines of figures it has. See `figures`, `rows` and `runs`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dispatchcount.render.html.figures import Figures, Texts, column_for_script, for_script
from dispatchcount.render.html.groups import of_report, placed
from dispatchcount.render.html.rows import Facts, row, table
from dispatchcount.render.html.runs import Shared, block, phases, phases_of, samples
from dispatchcount.report.expert_load import expert_load
from dispatchcount.report.metrics import Stats
from dispatchcount.report.views import path_totals

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

_MOST_LOADS = 200
"""Modules of which the load of what they hold is shown."""


def page_data(report: ReportData, title: str) -> dict[str, Any]:
    """All that the page shows. Integers that JavaScript cannot hold exactly become decimal text."""
    data, _, shared = report_data(report, title, "Whole block")
    return data | shared.for_script()


def report_data(
    report: ReportData, title: str, label: str
) -> tuple[dict[str, Any], dict[str, int], Shared]:
    """All that the page shows of one report.

    Args:
        report: the report.
        title: the page's title.
        label: what the run of the whole block is called.

    Returns:
        The data without what the runs share, the row of each module's name, and what they share,
        to which a page with more runs may add.
    """
    facts = Facts(report)
    place = {index: number for number, index in enumerate(facts.shown)}
    rows = [row(facts, i, place.get(report.modules[i].parent, -1)) for i in facts.shown]
    figures = Figures([report.total], report.memory is not None)
    shared = Shared(figures)
    names = phases_of(report)
    runs = [
        block(report, place, shared, label, phases=range(1, 1 + len(names))),
        *phases(report, place, shared, names),
    ]
    of_samples, run_of = samples(report, place, figures)
    signatures = _signatures(report, place, figures)
    data = {
        "title": title,
        "meta": asdict(report.meta),
        "convention": {"name": report.convention, "unit": report.flop_definition.unit},
        "metrics": figures.described(),
        "estimate": report.estimate,
        "gap": report.incomplete,
        "calls": for_script(report.total.calls),
        "rows": table(rows, placed(of_report(report, facts.shown), place)),
        "samples": _samples(report, place, run_of, len(runs)),
        "runs": [*runs, *of_samples],
        "signatures": signatures,
        "loads": _loads(report, place),
        "issues": [
            asdict(issue) | {"calls": for_script(issue.calls), "nbytes": for_script(issue.nbytes)}
            for issue in report.issues
        ],
        "groups": [
            {"title": "Phases", "label": "Phase", "rows": _group(report.by_phase(), figures)},
            {"title": "Dtypes", "label": "Dtype", "rows": _group(report.by_dtype(), figures)},
        ],
        "memory": _memory(report),
        "ranks": None,
    }
    return data, {report.modules[index].name: row for index, row in place.items()}, shared


def _signatures(
    report: ReportData, place: dict[int, int], figures: Figures
) -> dict[str, list[Any]]:
    """How modules were called: the shapes of their inputs, and the figures where they differ."""
    totals = path_totals(report)
    grouped: dict[tuple[int, str], Any] = {}
    number: dict[int, int] = {}
    for path, tally in zip(report.paths, totals, strict=True):
        if not path.calls or path.module not in place:
            continue
        key = (path.module, path.signature)
        if key not in grouped:
            grouped[key] = type(tally)()
            number[path.module] = number.get(path.module, 0) + 1
        grouped[key].add(tally)
        grouped[key].calls += path.calls
    texts = Texts()
    return {
        "row": [place[module] for module, _ in grouped],
        "text": [texts.number(text) for _, text in grouped],
        "calls": column_for_script(tally.calls for tally in grouped.values()),
        # A module that was always called alike has the figures of its row.
        "line": [
            figures.line(tally.stats(report.flop_definition)) if number[module] > 1 else -1
            for (module, _), tally in grouped.items()
        ],
        "texts": texts.all(),
    }


def _loads(report: ReportData, place: dict[int, int]) -> list[dict[str, Any]]:
    """The load of each group of modules of which a router chose some more often than others."""
    below: dict[int, list[int]] = {}
    for index in place:
        below.setdefault(report.modules[index].parent, []).append(index)
    stats = report.by_module()
    found: list[dict[str, Any]] = []
    for parent, held in below.items():
        rows = [report.modules[index] for index in held]
        calls = {stats[row.name].calls for row in rows}
        if parent < 0 or len(calls) < 2 or len({row.type for row in rows}) > 1:
            continue
        try:
            load = expert_load(report, report.modules[parent].name)
        except ValueError:  # what they did cannot be told apart, or they are no experts
            continue
        experts = [
            asdict(expert) | {"row": place[i]} for expert, i in zip(load.experts, held, strict=True)
        ]
        found.append({"row": place[parent], "imbalance": load.imbalance, "experts": experts})
        if len(found) == _MOST_LOADS:
            break
    return found


def _group(rows: dict[str, Stats], figures: Figures) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "calls": for_script(row.calls),
            "values": {
                metric.key: for_script(metric.value(row))
                for metric in figures.metrics
                if metric.additive
            },
        }
        for name, row in rows.items()
    ]


def _samples(
    report: ReportData, place: dict[int, int], run_of: dict[int, int], first: int
) -> dict[str, Any] | None:
    if not report.samples:
        return None
    over = report.by_module_over_samples()
    names = [report.modules[index].name for index in place]
    return {
        "label": [sample.label for sample in report.samples],
        "run": [
            first + run_of[sample.profile] if sample.profile in run_of else None
            for sample in report.samples
        ],
        "flops": column_for_script(report.sample_flops()),
        "distribution": asdict(report.distribution()),
        "rate": [over[name].execution_rate if name in over else 0.0 for name in names],
    }


def _memory(report: ReportData) -> dict[str, Any] | None:
    memory = report.memory
    if memory is None:
        return None
    return {
        "peak": for_script(memory.peak),
        "module": memory.peak_module,
        "operator": memory.peak_op,
    }

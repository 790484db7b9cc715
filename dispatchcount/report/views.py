"""Totals over a report's entries: of the block, by operator, phase, dtype and call.

They are functions of a report's rows alone. Totals by module are in `by_module.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import reduce

from dispatchcount.report.metrics import Stats
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import PHASES, Elements, Entry
from dispatchcount.report.tally import Tally
from dispatchcount.report.tree import below, upward


def total(report: ReportRows) -> Stats:
    """Everything the block did.

    `calls` counts operator calls, `params` every parameter of the roots once.
    """
    tally = Tally()
    for entry in report.entries:
        tally.add_entry(entry)
        tally.calls += entry.calls
    elements = reduce(Elements.plus, (module.elements for module in report.modules), Elements())
    return tally.stats(report.flop_definition, elements=elements)


def by_entry(report: ReportRows) -> list[Stats]:
    """The figures of each entry, in the order of `Report.entries`."""
    rows = []
    for entry in report.entries:
        tally = Tally()
        tally.add_entry(entry)
        tally.calls = entry.calls
        rows.append(tally.stats(report.flop_definition))
    return rows


def grouped(
    report: ReportRows, key: Callable[[Entry], str], entries: Iterable[Entry] | None = None
) -> dict[str, Stats]:
    """Entries summed by `key`, most flops first, then by name.

    Args:
        report: the report.
        key: the group of an entry.
        entries: those to sum up, all of the report's by default.
    """
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for entry in report.entries if entries is None else entries:
        tally = tallies[key(entry)]
        tally.add_entry(entry)
        tally.calls += entry.calls
    rows = {name: tally.stats(report.flop_definition) for name, tally in tallies.items()}
    return dict(sorted(rows.items(), key=lambda row: (-row[1].flops, -row[1].macs, row[0])))


def by_phase(report: ReportRows, name: str | None = None) -> dict[str, Stats]:
    """Totals by phase, of the whole block or of module `name` and those below it.

    The phases stand in the order in which they follow each other in a step.

    Raises:
        KeyError: no module goes by that name.
    """
    entries: Iterable[Entry] = report.entries
    if name is not None:
        within = below(report.modules, report.module_index(name))
        entries = [entry for entry in report.entries if report.paths[entry.path].module in within]
    rows = grouped(report, lambda e: e.phase, entries)
    return {phase: rows[phase] for phase in PHASES if phase in rows}


def path_totals(report: ReportRows) -> list[Tally]:
    """For each path by index: what ran in its calls, callees included."""
    totals = [Tally() for _ in report.paths]
    for entry in report.entries:
        totals[entry.path].add_entry(entry)
    for path, caller in upward(report.paths):
        totals[caller].add(totals[path])
    return totals


def by_call(report: ReportRows, name: str) -> dict[str, Stats]:
    """Calls of module `name` (or an alias of it) by the shapes of their inputs, most calls first.

    Raises:
        KeyError: no module goes by that name.
    """
    index = report.module_index(name)
    totals = path_totals(report)
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for path, tally in zip(report.paths, totals, strict=True):
        if path.module == index and path.calls:
            group = tallies[path.signature]
            group.add(tally)
            group.calls += path.calls
    rows = {signature: tally.stats(report.flop_definition) for signature, tally in tallies.items()}
    return dict(sorted(rows.items(), key=lambda row: (-row[1].calls, row[0])))

"""Totals by class of module: what all Linears do together."""

from __future__ import annotations

from collections import Counter

from dispatchcount.report.by_module import module_elements, self_and_total
from dispatchcount.report.metrics import Stats
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import NO_MODULE, Elements
from dispatchcount.report.tally import Tally
from dispatchcount.report.tree import children, depth_first


def by_type(report: ReportRows) -> dict[str, Stats]:
    """What the modules of each class did themselves and with those below them, most flops first.

    The figures are those of every outermost module of the class, and `self_` is what all modules of
    the class did without their children: a class that holds another of the same class (a
    `Sequential` within a `Sequential`) counts the inner one once. So the figures of `self_` of all
    classes add up to those of the block.

    Returns:
        Rows by class name; work outside every module stands under `NO_MODULE`, if there was any.
    """
    own, total = self_and_total(report)
    parameters = module_elements(report)
    sums: dict[str, tuple[Tally, Tally]] = {}
    elements: dict[str, tuple[Elements, Elements]] = {}
    outermost = _outermost(report)
    for index, module in enumerate(report.modules):
        kind = module.type if index else NO_MODULE
        mine, whole = sums.setdefault(kind, (Tally(), Tally()))
        few, many = elements.get(kind, (Elements(), Elements()))
        mine.add(own[index])
        mine.calls += own[index].calls
        if outermost[index]:
            whole.add(total[index])
            many = many.plus(parameters[index])
        elements[kind] = few.plus(module.elements), many
    rows: dict[str, Stats] = {}
    for kind, (mine, whole) in sums.items():
        few, many = elements[kind]
        whole.calls = mine.calls
        stats = mine.stats(report.flop_definition, elements=few)
        rows[kind] = whole.stats(report.flop_definition, elements=many, self_=stats)
    if not any(report.paths[entry.path].module == 0 for entry in report.entries):
        rows.pop(NO_MODULE, None)
    return dict(sorted(rows.items(), key=lambda row: (-_work(row[1]), row[0])))


def _work(row: Stats) -> int:
    return row.flops if row.self_ is None else row.self_.flops


def _outermost(report: ReportRows) -> list[bool]:
    """For each module by index: True if none above it is of its class."""
    found = [True] * len(report.modules)
    running: Counter[str] = Counter()
    for index, entering in depth_first(children(report.modules)):
        kind = report.modules[index].type
        if entering:
            found[index] = not running[kind]
        running[kind] += 1 if entering else -1
    return found

"""Totals by module: under the module that owns an operator, or under all that called it."""

from __future__ import annotations

from collections import Counter

from dispatchcount.report.metrics import Stats
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import Elements, Entry
from dispatchcount.report.tally import Tally
from dispatchcount.report.tree import children, depth_first, upward
from dispatchcount.report.views import path_totals

ANCESTORS = ("owner", "caller")

Operators = dict[str, Tally]
"""Figures by operator."""


def by_module(report: ReportRows, ancestors: str = "owner") -> dict[str, Stats]:
    """Every module's total, `self_` its own part, in the order of `Report.modules`.

    Args:
        report: the report.
        ancestors: ``"owner"`` adds an operator to the innermost module running and to those above
            it by name; ``"caller"`` adds it to every module on the stack of calls, once each,
            whatever its name.

    Raises:
        ValueError: `ancestors` is neither.
    """
    _check(ancestors)
    own, total = self_and_total(report)
    if ancestors == "caller":
        total = _caller_totals(report)
        for whole, part in zip(total, own, strict=True):
            whole.calls = part.calls
    elements = module_elements(report)
    rows: dict[str, Stats] = {}
    for index, module in enumerate(report.modules):
        mine = own[index].stats(report.flop_definition, elements=module.elements)
        rows[module.name] = total[index].stats(
            report.flop_definition, elements=elements[index], self_=mine
        )
    # The row of work outside every module is left out where there was none.
    if (
        report.modules
        and not own[0].calls
        and not any(report.paths[entry.path].module == 0 for entry in report.entries)
    ):
        del rows[report.modules[0].name]
    return rows


def self_and_total(report: ReportRows) -> tuple[list[Tally], list[Tally]]:
    """For each module by index: what it did itself, and with all modules below it by name.

    `calls` are those of the module in both. A module that holds no others, as most do, has one and
    the same tally in both.
    """
    own = _own(report)
    total = list(own)
    for index in {module.parent for module in report.modules if module.parent >= 0}:
        total[index] = Tally()
        total[index].add(own[index])
        total[index].calls = own[index].calls
    for module, parent in upward(report.modules):
        total[parent].add(total[module])
    return own, total


def own_stats(report: ReportRows) -> list[Stats]:
    """For each module by index what it did and holds itself, as `self_` of `by_module` has it.

    It takes half as long as all of `by_module`.
    """
    return [
        tally.stats(report.flop_definition, elements=module.elements)
        for tally, module in zip(_own(report), report.modules, strict=True)
    ]


def _own(report: ReportRows) -> list[Tally]:
    """For each module by index: what it did itself, and its calls."""
    own = [Tally() for _ in report.modules]
    owners = [own[path.module] for path in report.paths]
    for entry in report.entries:
        owners[entry.path].add_entry(entry)
    for owner, path in zip(owners, report.paths, strict=True):
        owner.calls += path.calls
    return own


def module_elements(report: ReportRows) -> list[Elements]:
    """For each module by index: elements of its parameters and those of the modules below it."""
    elements = [module.elements for module in report.modules]
    for module, parent in upward(report.modules):
        elements[parent] = elements[parent].plus(elements[module])
    return elements


def by_module_and_operator(
    report: ReportRows, ancestors: str = "owner"
) -> dict[str, dict[str, Stats]]:
    """For each module, called or not, its total by operator; `ancestors` as in `by_module`.

    Raises:
        ValueError: `ancestors` is neither of the two.
    """
    _check(ancestors)
    tallies: list[Operators] = [{} for _ in report.modules]
    if ancestors == "owner":
        for entry in report.entries:
            _put(tallies[report.paths[entry.path].module], entry)
        for module, parent in upward(report.modules):
            _add(tallies[parent], tallies[module])
    else:
        by_path: list[Operators] = [{} for _ in report.paths]
        for entry in report.entries:
            _put(by_path[entry.path], entry)
        for path, caller in upward(report.paths):
            if caller:  # path 0 is outside every module: it calls, but is not a module's call
                _add(by_path[caller], by_path[path])
        for path, begins in enumerate(_begins(report)):
            if begins:
                _add(tallies[report.paths[path].module], by_path[path])
    return {
        module.name: {
            op: tally.stats(report.flop_definition) for op, tally in sorted(tallies[index].items())
        }
        for index, module in enumerate(report.modules)
        if index or tallies[index]
    }


def _check(ancestors: str) -> None:
    if ancestors not in ANCESTORS:
        raise ValueError(f"ancestors={ancestors!r} is not known; it is 'owner' or 'caller'")


def _put(operators: Operators, entry: Entry) -> None:
    tally = operators.setdefault(entry.op, Tally())
    tally.add_entry(entry)
    tally.calls += entry.calls


def _add(operators: Operators, others: Operators) -> None:
    for op, tally in others.items():
        mine = operators.setdefault(op, Tally())
        mine.add(tally)
        mine.calls += tally.calls


def _caller_totals(report: ReportRows) -> list[Tally]:
    """For each module by index: what ran while it was anywhere on the stack of calls."""
    total = [Tally() for _ in report.modules]
    for index, (begins, tally) in enumerate(zip(_begins(report), path_totals(report), strict=True)):
        if index and begins:
            total[report.paths[index].module].add(tally)
    for entry in report.entries:
        if entry.path == 0:  # outside every module: its own entries alone, not those it called
            total[report.paths[0].module].add_entry(entry)
    return total


def _begins(report: ReportRows) -> list[bool]:
    """For each path by index: True if no call that it was made from is of its module as well.

    A module that calls itself is on the stack more than once, and counts once.
    """
    begins = [True] * len(report.paths)
    running: Counter[int] = Counter()
    for index, entering in depth_first(children(report.paths)):
        module = report.paths[index].module
        if entering:
            begins[index] = not running[module]
        if index:  # outside every module, none is running
            running[module] += 1 if entering else -1
    return begins

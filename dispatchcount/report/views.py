"""Totals over a report's entries: by module, operator, phase, dtype, call and sample. Pure functions of the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from dispatchcount.report.metrics import Stats
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import MEMORY_KINDS, Entry, Module, ModuleMemory
from dispatchcount.report.tally import Tally

ANCESTORS = ("owner", "caller")


def total(report: ReportRows) -> Stats:
    """Everything the block did; `calls` counts operator calls, `params` every parameter of the roots once."""
    tally = Tally()
    for entry in report.entries:
        tally.add_entry(entry)
        tally.calls += entry.calls
    return tally.stats(report.flop_definition, params=sum(m.params for m in report.modules))


def by_entry(report: ReportRows) -> list[Stats]:
    """The figures of each entry, in the order of `Report.entries`."""
    rows = []
    for entry in report.entries:
        tally = Tally()
        tally.add_entry(entry)
        tally.calls = entry.calls
        rows.append(tally.stats(report.flop_definition))
    return rows


def own_by_operator(report: ReportRows) -> dict[tuple[int, str], Stats]:
    """What each module did itself by operator; by index of the module and operator."""
    tallies: defaultdict[tuple[int, str], Tally] = defaultdict(Tally)
    for entry in report.entries:
        tally = tallies[report.paths[entry.path].module, entry.op]
        tally.add_entry(entry)
        tally.calls += entry.calls
    return {key: tally.stats(report.flop_definition) for key, tally in tallies.items()}


def grouped(
    report: ReportRows, key: Callable[[Entry], str], entries: Iterable[Entry] | None = None
) -> dict[str, Stats]:
    """Entries summed by `key`, most flops first, then by name."""
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for entry in report.entries if entries is None else entries:
        tally = tallies[key(entry)]
        tally.add_entry(entry)
        tally.calls += entry.calls
    rows = {name: tally.stats(report.flop_definition) for name, tally in tallies.items()}
    return dict(sorted(rows.items(), key=lambda row: (-row[1].flops, -row[1].macs, row[0])))


def by_phase(report: ReportRows, name: str | None = None) -> dict[str, Stats]:
    """Totals by phase, of the whole block or of module `name` and those below it.

    Raises:
        KeyError: no module goes by that name.
    """
    entries: Iterable[Entry] = report.entries
    if name is not None:
        below = {report.module_index(name)}
        for index, module in enumerate(report.modules):
            if module.parent in below:
                below.add(index)
        entries = [entry for entry in report.entries if report.paths[entry.path].module in below]
    return grouped(report, lambda e: e.phase, entries)


def by_module(report: ReportRows, ancestors: str = "owner") -> dict[str, Stats]:
    """Every module's total, `self_` its own part, in the order of `Report.modules`.

    Args:
        report: the report.
        ancestors: ``"owner"`` adds an operator to the innermost module running and to those above it by name;
            ``"caller"`` to every module on the stack of calls, once each, whatever its name.

    Raises:
        ValueError: `ancestors` is neither.
    """
    if ancestors not in ANCESTORS:
        raise ValueError(f"ancestors={ancestors!r} is not known; it is 'owner' or 'caller'")
    own, total = self_and_total(report)
    if ancestors == "caller":
        total = _caller_totals(report)
    for path in report.paths:
        own[path.module].calls += path.calls
    params = module_params(report)
    rows: dict[str, Stats] = {}
    for index, module in enumerate(report.modules):
        mine = own[index].stats(report.flop_definition, params=module.params)
        total[index].calls = own[index].calls
        rows[module.name] = total[index].stats(
            report.flop_definition, params=params[index], self_=mine
        )
    if (
        report.modules
        and not own[0].calls
        and not any(report.paths[entry.path].module == 0 for entry in report.entries)
    ):
        del rows[report.modules[0].name]
    return rows


def self_and_total(report: ReportRows) -> tuple[list[Tally], list[Tally]]:
    """For each module by index: what it did itself, and with all modules below it by name."""
    own = [Tally() for _ in report.modules]
    total = [Tally() for _ in report.modules]
    for entry in report.entries:
        own[report.paths[entry.path].module].add_entry(entry)
    for index, tally in enumerate(own):
        total[index].add(tally)
    _sum_up(report.modules, total)
    return own, total


def module_params(report: ReportRows) -> list[int]:
    """For each module by index: elements of its parameters and those of the modules below it."""
    params = [module.params for module in report.modules]
    for index in range(len(params) - 1, -1, -1):
        parent = report.modules[index].parent
        if parent >= 0:
            params[parent] += params[index]
    return params


def memory_totals(report: ReportRows) -> list[ModuleMemory]:
    """For each module by index: the bytes that it and the modules below it hold; zeros where memory was not followed."""
    held = [[0] * len(MEMORY_KINDS) for _ in report.modules]
    for row in report.memory.modules if report.memory else ():
        for kind, name in enumerate(MEMORY_KINDS):
            held[row.module][kind] += getattr(row, name)
    for index in range(len(held) - 1, -1, -1):
        parent = report.modules[index].parent
        if parent >= 0:
            held[parent] = [
                above + own for above, own in zip(held[parent], held[index], strict=True)
            ]
    return [ModuleMemory(index, *figures) for index, figures in enumerate(held)]


def inputs(report: ReportRows) -> dict[str, list[str]]:
    """Of every module that was called from outside all others: its name, and the distinct shapes of its inputs as text."""
    shapes: dict[str, dict[str, None]] = {}
    for path in report.paths:
        if (
            path.parent == 0
            and path.module
            and path.calls
            and any(c.isdigit() for c in path.signature)
        ):
            shapes.setdefault(report.modules[path.module].name, {})[path.signature] = None
    return {name: list(signatures) for name, signatures in shapes.items()}


def _sum_up(modules: tuple[Module, ...], total: list[Tally]) -> None:
    for index in range(len(modules) - 1, -1, -1):  # a parent's index is smaller than its children's
        parent = modules[index].parent
        if parent >= 0:
            total[parent].add(total[index])


def _caller_totals(report: ReportRows) -> list[Tally]:
    total = [Tally() for _ in report.modules]
    for index, (begins, tally) in enumerate(zip(_begins(report), path_totals(report), strict=True)):
        if index and begins:
            total[report.paths[index].module].add(tally)
    for entry in report.entries:
        if entry.path == 0:  # outside: it calls, and is no module
            total[report.paths[0].module].add_entry(entry)
    return total


def _begins(report: ReportRows) -> list[bool]:
    """For each path by index: True if its module does not run already in one of the calls that it was called from."""
    callees: list[list[int]] = [[] for _ in report.paths]
    for index, path in enumerate(report.paths):
        if path.parent >= 0:
            callees[path.parent].append(index)
    begins = [True] * len(report.paths)
    running: Counter[int] = Counter()
    waiting = [(index, True) for index, path in enumerate(report.paths) if path.parent < 0]
    while waiting:  # a stack of our own: calls nest deeper than Python's may
        index, entering = waiting.pop()
        module = report.paths[index].module
        if entering:
            begins[index] = not running[module]
            waiting.append((index, False))
            waiting += [(callee, True) for callee in callees[index]]
        if index:  # outside, no module is running
            running[module] += 1 if entering else -1
    return begins


Operators = dict[str, Tally]
"""Figures by operator."""


def by_module_and_operator(
    report: ReportRows, ancestors: str = "owner"
) -> dict[str, dict[str, Stats]]:
    """For each module, called or not, its total by operator. `ancestors` as in `by_module`."""
    if ancestors not in ANCESTORS:
        raise ValueError(f"ancestors={ancestors!r} is not known; it is 'owner' or 'caller'")
    tallies: list[Operators] = [{} for _ in report.modules]
    if ancestors == "owner":
        for entry in report.entries:
            _put(tallies[report.paths[entry.path].module], entry)
        for index in range(
            len(tallies) - 1, -1, -1
        ):  # a parent's index is smaller than its children's
            parent = report.modules[index].parent
            if parent >= 0:
                _add(tallies[parent], tallies[index])
    else:
        by_path: list[Operators] = [{} for _ in report.paths]
        for entry in report.entries:
            _put(by_path[entry.path], entry)
        begins = _begins(report)
        for index in range(
            len(by_path) - 1, -1, -1
        ):  # likewise a caller's; outside, path 0, is nobody's caller here
            path = report.paths[index]
            if begins[index]:
                _add(tallies[path.module], by_path[index])
            if path.parent > 0:
                _add(by_path[path.parent], by_path[index])
    return {
        module.name: {
            op: tally.stats(report.flop_definition) for op, tally in sorted(tallies[index].items())
        }
        for index, module in enumerate(report.modules)
        if index or tallies[index]
    }


def _put(operators: Operators, entry: Entry) -> None:
    tally = operators.setdefault(entry.op, Tally())
    tally.add_entry(entry)
    tally.calls += entry.calls


def _add(operators: Operators, others: Operators) -> None:
    for op, tally in others.items():
        mine = operators.setdefault(op, Tally())
        mine.add(tally)
        mine.calls += tally.calls


def path_totals(report: ReportRows) -> list[Tally]:
    """For each path by index: what ran in its calls, callees included."""
    totals = [Tally() for _ in report.paths]
    for entry in report.entries:
        totals[entry.path].add_entry(entry)
    for index in range(len(totals) - 1, 0, -1):  # a caller's index is smaller than its callees'
        parent = report.paths[index].parent
        if parent >= 0:
            totals[parent].add(totals[index])
    return totals


def by_call(report: ReportRows, name: str) -> dict[str, Stats]:
    """Calls of module `name` (or an alias of it) grouped by the shapes of their inputs, most calls first.

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


def uncalled(report: ReportRows) -> tuple[str, ...]:
    """Names of modules that did nothing: never called, and no operator of another module used their parameters.

    Pure containers are left out.
    """
    called = {path.module for path in report.paths if path.calls}
    return tuple(
        m.name
        for i, m in enumerate(report.modules)
        if i and i not in called and not (m.container or m.fused)
    )

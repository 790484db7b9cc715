"""What ran in a block, and what of it could be counted."""

from __future__ import annotations

from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import COUNTED, ZERO
from dispatchcount.report.tree import upward

KNOWN = (COUNTED, ZERO)
"""The statuses of operators whose cost is known."""


def ran(report: ReportRows) -> list[bool]:
    """For each module by index: True if it or a module below it was called or ran an operator."""
    flags = [False] * len(report.modules)
    for path in report.paths:
        flags[path.module] |= path.calls > 0
    for entry in report.entries:
        flags[report.paths[entry.path].module] = True
    return below_or_at(report, flags)


def gaps(report: ReportRows) -> list[bool]:
    """For each module by index: True if an operator that could not be counted ran in it."""
    flags = [False] * len(report.modules)
    for entry in report.entries:
        flags[report.paths[entry.path].module] |= entry.status not in KNOWN
    return flags


def below_or_at(report: ReportRows, flags: list[bool]) -> list[bool]:
    """For each module by index: True if it or a module below it has the flag."""
    flags = list(flags)
    for module, parent in upward(report.modules):
        flags[parent] |= flags[module]
    return flags


def incomplete(report: ReportRows) -> bool:
    """True if an operator that could not be counted is missing from the totals."""
    return any(entry.status not in KNOWN for entry in report.entries)


def statuses(report: ReportRows) -> dict[str, tuple[str, ...]]:
    """How the calls of each operator were counted, in the order in which operators first ran."""
    found: dict[str, dict[str, None]] = {}
    for entry in report.entries:
        found.setdefault(entry.op, {})[entry.status] = None
    return {op: tuple(ways) for op, ways in found.items()}


def uncalled(report: ReportRows) -> tuple[str, ...]:
    """Names of modules that did nothing.

    They were never called, and no operator of another module used their parameters. Pure containers
    are left out.
    """
    called = {path.module for path in report.paths if path.calls}
    return tuple(
        module.name
        for index, module in enumerate(report.modules)
        if index and index not in called and not (module.container or module.fused)
    )


def topmost_uncalled(report: ReportRows) -> list[str]:
    """Those of `uncalled` that are not below another one of them."""
    names = set(uncalled(report))
    return [
        module.name
        for module in report.modules
        if module.name in names
        and (module.parent < 0 or report.modules[module.parent].name not in names)
    ]


def inputs(report: ReportRows) -> dict[str, list[str]]:
    """The shapes, as text, that modules were called with from outside all others.

    Returns:
        Distinct shapes by the module's name. Calls without a shape in them are left out.
    """
    shapes: dict[str, dict[str, None]] = {}
    for path in report.paths:
        from_outside = path.parent == 0 and path.module and path.calls
        if from_outside and any(c.isdigit() for c in path.signature):
            shapes.setdefault(report.modules[path.module].name, {})[path.signature] = None
    return {name: list(signatures) for name, signatures in shapes.items()}

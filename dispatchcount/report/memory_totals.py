"""Totals of the memory that modules hold."""

from __future__ import annotations

from collections.abc import Iterable
from operator import add, attrgetter

from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import MEMORY_KINDS, ModuleMemory
from dispatchcount.report.tree import upward

_kinds = attrgetter(*MEMORY_KINDS)


def own_memory(report: ReportRows) -> list[ModuleMemory]:
    """For each module by index: the bytes that it holds itself; zeros where none were followed."""
    return [ModuleMemory(index, *figures) for index, figures in enumerate(_own(report))]


def memory_totals(report: ReportRows) -> list[ModuleMemory]:
    """For each module by index: the bytes that it and the modules below it hold.

    They are zeros where memory was not followed.
    """
    held = _own(report)
    for module, parent in upward(report.modules):
        held[parent] = list(map(add, held[parent], held[module]))
    return [ModuleMemory(index, *figures) for index, figures in enumerate(held)]


def _own(report: ReportRows) -> list[list[int]]:
    held = [[0] * len(MEMORY_KINDS) for _ in report.modules]
    for row in report.memory.modules if report.memory else ():
        held[row.module] = list(map(add, held[row.module], _kinds(row)))
    return held


def memory_of_all(rows: Iterable[ModuleMemory]) -> ModuleMemory:
    """Several rows as one, that of the whole block."""
    sums = [0] * len(MEMORY_KINDS)
    for row in rows:
        sums = list(map(add, sums, _kinds(row)))
    return ModuleMemory(0, *sums)

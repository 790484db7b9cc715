"""A report of some phases of a run alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import BACKWARD, DOUBLE_BACKWARD, RECOMPUTE

R = TypeVar("R", bound=ReportData)

BACKWARDS = (BACKWARD, DOUBLE_BACKWARD, RECOMPUTE)
"""The phases of a backward pass: what checkpointing runs again is a part of it."""


def of_phases(report: R, phases: Collection[str]) -> R:
    """The report without the operators of other phases.

    Modules, their parameters and calls, and the memory stay. Samples go, because they do not tell
    phases apart.
    """
    entries = tuple(entry for entry in report.entries if entry.phase in phases)
    return replace(report, entries=entries, samples=(), profiles=())

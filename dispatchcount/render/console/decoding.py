"""Prefill and decode beside each other: what each step costs, in all and for a token."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.numbers import ABSENT, count, human, nbytes
from dispatchcount.render.plain import Printable, clean
from dispatchcount.report.decoding import Step
from dispatchcount.report.derived import intensity
from dispatchcount.report.metrics import BYTES
from dispatchcount.report.model import ReportData

_FIRST, _LAST = 8, 3
"""Steps that are shown of many."""


def decoding_table(report: ReportData, steps: Sequence[Step], *, exact: bool = False) -> Printable:
    """A row a step: tokens, flops, flops a token, bytes moved, flops a byte, bytes of the cache.

    Args:
        report: the report whose samples the steps are.
        steps: the steps in order.
        exact: show every digit.
    """
    rows = [
        (step, figures[""]) for step, (_, figures) in zip(steps, report.by_sample(), strict=True)
    ]
    left_out = max(0, len(rows) - _FIRST - _LAST)
    if left_out > 1:
        rows = rows[:_FIRST] + rows[-_LAST:]
    stats = [row for _, row in rows]
    moved = [BYTES.value(row) for row in stats]
    dense = [intensity(row) for row in stats]
    names = [clean(step.label) for step, _ in rows]
    if left_out > 1:
        names[_FIRST - 1] += f"  … {left_out} more"
    per_token = [count(row.flops // step.tokens, exact) for step, row in rows]
    columns = [
        Cells("step", names, left=True, keep=True),
        Cells("tokens", [count(step.tokens, True) for step, _ in rows]),
        Cells("flops", [count(row.flops, exact) for row in stats], keep=True),
        Cells("flops/token", per_token),
        Cells("bytes moved", [nbytes(value, exact) for value in moved], keep=True),
        Cells("flops/byte", [ABSENT if one is None else human(float(one)) for one in dense]),
        Cells("KV cache", [nbytes(step.cache_bytes, exact) for step, _ in rows], keep=True),
    ]
    return Printable(Grid(columns))

"""What files of modules say besides figures: parameters by kind, and shapes."""

from __future__ import annotations

from dispatchcount.report.parameter_totals import parameter_totals
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.shapes import inputs_by_module, outputs_by_module

MORE = ("trainable", "param_bytes", "input", "output")
"""Elements of trainable parameters, bytes of all of them, and shapes as text."""


def more_of_modules(report: ReportRows) -> list[tuple[int, int, str, str]]:
    """The values of `MORE` for each module by index.

    Of inputs of several shapes each has the number of its calls behind it.
    """
    rows = zip(
        parameter_totals(report), inputs_by_module(report), outputs_by_module(report), strict=True
    )
    return [
        (
            held.trainable,
            held.param_bytes,
            "; ".join(f"{shape} ×{calls}" if calls > 1 else shape for shape, calls in came.items()),
            "; ".join(left),
        )
        for held, came, left in rows
    ]

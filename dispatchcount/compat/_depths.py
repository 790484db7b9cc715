"""The modules of a report by their depth and class, as DeepSpeed lists them."""

from __future__ import annotations

from dispatchcount.report.metrics import Stats
from dispatchcount.report.rows import FORWARD
from dispatchcount.report_api import Report

Figures = tuple[float, float, float]
"""Parameters, multiply-accumulates, and seconds."""


def classes_by_depth(report: Report) -> list[dict[str, Figures]]:
    """The figures of all modules of a class, by depth and class; the roots are at depth 0.

    Multiply-accumulates and seconds are those of forward passes.
    """
    depths: list[dict[str, Figures]] = []
    rows, depth_of = report.by_module(), list[int]()
    for module in report.modules:
        if not module.type:  # The row of work outside every module is above the roots.
            depth_of.append(-1)
            continue
        depth = 1 + (depth_of[module.parent] if module.parent >= 0 else -1)
        depth_of.append(depth)
        if depth == len(depths):
            depths.append({})
        forward = report.by_phase(module.name).get(FORWARD, Stats())
        params, macs, seconds = depths[depth].get(module.type, (0, 0, 0.0))
        depths[depth][module.type] = (
            params + rows[module.name].params,
            macs + forward.macs,
            seconds + forward.time_ns / 1e9,
        )
    return depths

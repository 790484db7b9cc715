"""The modules of a report by their depth and class, as DeepSpeed lists them."""

from __future__ import annotations

from collections import defaultdict

from dispatchcount.report.rows import FORWARD
from dispatchcount.report.tree import upward
from dispatchcount.report_api import Report

Figures = tuple[int, int, float]
"""Parameters, multiply-accumulates, and seconds."""


def classes_by_depth(report: Report) -> list[dict[str, Figures]]:
    """The figures of all modules of a class, by depth and class; the roots are at depth 0.

    Multiply-accumulates and seconds are those of forward passes, with what ran in modules below.
    """
    modules = report.modules
    macs, nanoseconds = [0] * len(modules), [0] * len(modules)
    for entry in report.entries:
        if entry.phase == FORWARD:
            module = report.paths[entry.path].module
            macs[module] += entry.cost.macs
            nanoseconds[module] += entry.time_ns
    for index, parent in upward(modules):
        macs[parent] += macs[index]
        nanoseconds[parent] += nanoseconds[index]

    depths: list[dict[str, Figures]] = []
    depth_of: defaultdict[int, int] = defaultdict(lambda: -1)
    params = report.by_module()
    for index, row in enumerate(modules):
        if not row.type:  # The row of work outside every module is above the roots.
            continue
        depth = depth_of[index] = 1 + depth_of[row.parent]
        if depth == len(depths):
            depths.append({})
        held, products, seconds = depths[depth].get(row.type, (0, 0, 0.0))
        depths[depth][row.type] = (
            held + params[row.name].params,
            products + macs[index],
            seconds + nanoseconds[index] / 1e9,
        )
    return depths

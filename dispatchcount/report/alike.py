"""Which modules are equal in everything; `fold` shows those of them that are siblings as one."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from dispatchcount.report.coverage import gaps
from dispatchcount.report.memory_totals import memory_totals
from dispatchcount.report.metrics import COMPARED, Stats
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.tree import Named, children


def alike(report: ReportRows, stats: dict[str, Stats]) -> list[int]:
    """For each module by index a number that equal modules share.

    Args:
        report: the report.
        stats: its figures by module; only modules that are among them count as part of those above.
    """
    below = children(report.modules, lambda index: report.modules[index].name in stats)
    figures = attrgetter(*(metric.key for metric in COMPARED))
    memory = memory_totals(report) if report.memory else []
    gap = gaps(report)
    in_samples: list[list[object]] = [[] for _ in report.modules]
    for number, profile in enumerate(report.profiles):
        for done in profile:
            in_samples[done.module].append((number, done.calls, done.cost))
    known: dict[object, int] = {}
    numbers = [0] * len(report.modules)
    # Children come after their parents in the table, so that backwards each finds its own done.
    for index in range(len(report.modules) - 1, -1, -1):
        module = report.modules[index]
        row = stats.get(module.name)
        own = row.self_ if row is not None else None
        if own is None or module.aliases:
            numbers[index] = -1 - index
            continue
        held = memory[index] if memory else None
        start = len(module.name) + 1 if module.name else 0
        key = (
            module.type,
            tuple(
                (p.name[start:], p.shape, p.dtype, p.trainable, p.tied_to is None, p.local)
                for p in module.parameters
            ),
            (module.container, module.fused, gap[index], own.estimate, own.estimate_elementwise),
            figures(own),
            held and (held.parameters, held.gradients, held.optimizer, held.saved),
            tuple(in_samples[index]),
            tuple(
                [
                    (local_name(report.modules, child)[0], numbers[child])
                    for child in below.get(index, ())
                ]
            ),
        )
        numbers[index] = known.setdefault(key, len(known) + 1)
    return numbers


def local_name(modules: Sequence[Named], index: int) -> tuple[str, bool]:
    """The part of a module's name that its parent's does not have, and if that is all of it.

    It is the whole name where the parent's is no part of it, and below a root without a name.
    """
    module = modules[index]
    above = modules[module.parent].name if module.parent >= 0 else ""
    length = len(above)
    if above and module.name.startswith(above) and module.name[length : length + 1] == ".":
        return module.name[length + 1 :], False
    return module.name, bool(above) or module.parent < 0

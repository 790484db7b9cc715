"""Where the bytes are: what each module holds, by kind, and the peak."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import bytes_said, nbytes, plural
from dispatchcount.render.plain import Printable, clean, named
from dispatchcount.render.select import label
from dispatchcount.render.summary import Line, footer
from dispatchcount.report.memory_totals import memory_of_all, memory_totals
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import MEMORY_KINDS, Memory, ModuleMemory
from dispatchcount.report.tree import children, depth_first


def memory_table(report: ReportData, *, depth: int | None = 3, exact: bool = False) -> Printable:
    """The modules that hold memory, each with what it and those below it hold.

    Args:
        report: the report.
        depth: levels below the root to show, None for all.
        exact: show every digit.

    Raises:
        ValueError: memory was not followed, or `depth` is negative.
    """
    if report.memory is None:
        raise ValueError(
            "the report says nothing of memory; ask for it: profile(model, memory=True)"
        )
    if depth is not None and depth < 0:
        raise ValueError(
            f"depth={depth} is negative; give a number of levels from 0 up, or None for all"
        )
    totals = memory_totals(report)
    whole = memory_of_all(report.memory.modules)
    rows: list[tuple[str, ModuleMemory, int]] = []
    deeper = 0
    for index, level in _levels(report, totals):
        if depth is not None and level > depth:
            deeper += 1
        else:
            rows.append((clean(label(report, index)), totals[index], level))
    has_total = sum(not level for _, _, level in rows) > 1
    if has_total:
        rows.append(("total", whole, 0))
    styles = [heat(held.together / (whole.together or 1), level) for _, held, level in rows]
    columns = [
        Cells(
            "module",
            [name for name, _, _ in rows],
            True,
            styles,
            leads=[indent(level) for _, _, level in rows],
        ),
        *(
            Cells(kind, [nbytes(getattr(held, kind), exact) for _, held, _ in rows])
            for kind in MEMORY_KINDS
        ),
        Cells(
            "together",
            [nbytes(held.together, exact) for _, held, _ in rows],
            styles=styles,
            keep=True,
        ),
    ]
    lines: list[Line] = []
    if deeper:
        opens = hint("depth=None", "--depth all")
        text = f"{plural(deeper, 'module')} below depth {depth}; {opens} shows all"
        lines.append(("hidden", text, "dim"))
    return Printable(
        Group(Grid(columns, total=has_total), Text(), footer(lines + _peak(report.memory, exact)))
    )


def _levels(report: ReportData, totals: list[ModuleMemory]) -> list[tuple[int, int]]:
    """Indices and levels of the modules that hold any bytes, each above those below it.

    Work outside every module comes last.
    """
    below = children(report.modules, lambda index: totals[index].together > 0)
    below.get(-1, []).sort(key=lambda index: index == 0)
    found: list[tuple[int, int]] = []
    level = 0
    for index, entering in depth_first(below):
        if entering:
            found.append((index, level))
        level += 1 if entering else -1
    return found


def _peak(memory: Memory, exact: bool) -> list[Line]:
    size = bytes_said(memory.peak, exact)
    place = f"in {named(memory.peak_module)}, at {clean(memory.peak_op)}"
    return [
        (
            "peak",
            f"{size} of tensors alive at once, "
            + (place if memory.peak_op else "before the first operator"),
            "",
        ),
        ("saved", "what autograd held for backward, the most of each module", ""),
    ]

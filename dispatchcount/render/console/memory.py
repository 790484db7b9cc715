"""Where the bytes are: what each module holds, by kind, and the peak."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.numbers import bytes_said, nbytes
from dispatchcount.render.plain import Printable, clean, named
from dispatchcount.render.select import AUTO, Depth, Row, select
from dispatchcount.render.summary import Line, folded, footer, hidden
from dispatchcount.report.memory_totals import memory_of_all, memory_totals
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import MEMORY_KINDS, Memory, ModuleMemory


def memory_table(
    report: ReportData, *, depth: Depth = AUTO, exact: bool = False, fold: bool = True
) -> Printable:
    """The modules that hold memory, each with what it and those below it hold.

    Args:
        report: the report.
        depth: levels below the root to show, None for all. With `AUTO` it opens those that hold
            the most, as far as a window goes.
        exact: show every digit.
        fold: True to show equal siblings as one row with their sum.

    Raises:
        ValueError: memory was not followed, or `depth` is no depth.
    """
    if report.memory is None:
        raise ValueError(
            "the report says nothing of memory; ask for it: profile(model, memory=True)"
        )
    held = memory_totals(report)
    selection = select(
        report,
        depth,
        fold=fold,
        wanted=lambda index: held[index].together > 0,
        size=lambda row: (-_held(row).together,),
    )
    whole = memory_of_all(report.memory.modules)
    rows = [(clean(row.name), _held(row), row.level) for row in selection.rows]
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
    lines = hidden(selection) + folded(selection) + _peak(report.memory, exact)
    return Printable(Group(Grid(columns, total=has_total), Text(), footer(lines)))


def _held(row: Row) -> ModuleMemory:
    """The bytes that a row's modules hold with those below them."""
    return row.memory or ModuleMemory(0)


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

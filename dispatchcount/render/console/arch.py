"""The architecture as `print(model)` shows it, with each module's figures."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS
from dispatchcount.render.console.grid import heat, indent
from dispatchcount.render.numbers import ABSENT
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import Row, select
from dispatchcount.render.summary import folded, footer, summary
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import NO_MODULE

_FIGURES = {
    "params": "params",
    "flops": "flops",
    "activations": "activations",
    "time_ns": "",
    "memory": "of memory",
}
"""The columns whose figures stand after a module, and what is said after each."""


def architecture(report: ReportData, *, fold: bool = True) -> Printable:
    """The modules nested as in `print(model)`, each with its figures after a ``#``.

    Args:
        report: the report.
        fold: True to show equal siblings once with their sum.
    """
    selection = select(
        report, fold=fold, wanted=lambda index: report.modules[index].name != NO_MODULE
    )
    rows = selection.rows
    text = Text()
    ends: list[str] = []
    for position, row in enumerate(rows):
        while len(ends) > row.level:
            text.append(f"{ends.pop()}\n")
        following = rows[position + 1].level if position + 1 < len(rows) else 0
        end = _open(text, row, following > row.level)
        if end:
            ends.append(end)
    for end in reversed(ends):
        text.append(f"{end}\n")
    text.overflow = "fold"
    return Printable(Group(text, footer(folded(selection) + summary(report))))


def _open(text: Text, row: Row, has_children: bool) -> str:
    """Add a module's first line.

    Returns:
        The line that closes the module; ``""`` if it is all on its first line.
    """
    margin = indent(row.level)
    extra = [clean(line) for line in row.module.extra.split("\n")] if row.module.extra else []
    one_line = not has_children and len(extra) <= 1
    text.append(f"{margin}({clean(row.label)}): " if row.module.name else margin)
    text.append(clean(row.module.type), heat(row.share, row.level))
    text.append(f"({extra[0] if extra else ''})" if one_line else "(")
    _figures(text, row)
    text.append("\n")
    if one_line:
        return ""
    for line in extra:
        text.append(f"{margin}  {line}\n")
    return f"{margin})"


def _figures(text: Text, row: Row) -> None:
    columns = ((what, MODULE_COLUMNS[name].text(row, False)) for name, what in _FIGURES.items())
    parts = [
        f"{figure} {what}".rstrip()
        for what, figure in columns
        if figure not in ("0", "0 B", "0 ns", ABSENT)
    ]
    parts += (
        []
        if row.ran
        else ["run by operators of a module around it" if row.module.fused else "never called"]
    )
    parts += [] if row.stats.calls < 2 else [f"{row.stats.calls:,} calls"]
    parts += [f"also {clean(alias)}" for alias in row.module.aliases]
    if parts:
        text.append(f"  # {', '.join(parts)}", "green")

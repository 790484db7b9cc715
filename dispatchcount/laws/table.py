"""The modules of a law as a table, one formula a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from dispatchcount.laws.notes import notes
from dispatchcount.laws.row import columns_of
from dispatchcount.render.console.grid import Cells, Grid, indent
from dispatchcount.render.plain import ROOT, Printable, clean

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


@dataclass(frozen=True, slots=True)
class FormulaRow:
    """A module as a table shows it: its full name, the last part of it, its level, its type and its
    formula.
    """

    path: str
    name: str
    level: int
    type: str
    formula: str


def selected(law: LawData, depth: int | None, metric: str) -> list[FormulaRow]:
    """The modules down to a depth. Those that did nothing are left out.

    Raises:
        ValueError: `depth` is negative, or there is no such metric.
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth = {depth}: expected an integer from 0 up, or None for all levels")
    columns_of(metric, law.convention)
    rows = law.by_module()
    levels: dict[str, int] = {}
    found = []
    for module in law.modules:
        levels[module.name] = 0 if module.parent is None else levels[module.parent] + 1
        if module.name not in rows or (depth is not None and levels[module.name] > depth):
            continue
        row = rows[module.name]
        refused = row.refused
        if metric in refused:
            formula = f"no formula: {refused[metric]}"
        elif row.polynomial(metric):
            formula = str(row.polynomial(metric))
        else:
            continue
        path = module.name or ROOT
        short = path.rpartition(".")[2] if module.parent else path
        found.append(FormulaRow(path, short, levels[module.name], module.type, formula))
    return found


def module_table(law: LawData, depth: int | None, metric: str) -> Printable:
    """The modules with one formula each, indented below their parents, and under them where the
    formulas hold.

    Raises:
        ValueError: `depth` is negative, or there is no such metric.
    """
    rows = selected(law, depth, metric)
    leads = [indent(row.level) for row in rows]
    columns = [
        Cells("module", [clean(row.name) for row in rows], left=True, leads=leads),
        Cells("type", [clean(row.type) for row in rows], left=True, styles=["dim"] * len(rows)),
        Cells(metric, [clean(row.formula) for row in rows], left=True, keep=True),
    ]
    return Printable(Group(Grid(columns), Text(), Text("\n".join(notes(law)), style="dim")))

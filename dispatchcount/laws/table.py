"""The modules of a law as a table, one formula a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from dispatchcount.errors import expect
from dispatchcount.laws.alike import folding
from dispatchcount.laws.notes import notes
from dispatchcount.laws.row import LawRow, columns_of
from dispatchcount.render.console.grid import Cells, Grid, indent
from dispatchcount.render.plain import ROOT, Printable, clean
from dispatchcount.render.summary import folds_told
from dispatchcount.report.fold import Fold

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


@dataclass(frozen=True, slots=True)
class FormulaRow:
    """A module, or equal modules folded, as a table shows it.

    Attributes:
        fold: the modules that it stands for.
        level: how many rows stand above it.
        type: the class of the module.
        formula: of all its modules together; in words where there is none.
    """

    fold: Fold
    level: int
    type: str
    formula: str

    @property
    def name(self) -> str:
        """The part of its name that the row above does not have: ``"layers.0–31 ×32"``."""
        return self.fold.title or ROOT

    @property
    def path(self) -> str:
        """Its full name: ``"model.layers.0–31 ×32"``."""
        times = self.fold.times
        return (self.fold.path or ROOT) + (f" ×{times:,}" if times > 1 else "")


def selected(
    law: LawData, depth: int | None, metric: str, *, fold: bool = True
) -> list[FormulaRow]:
    """The modules down to a depth. Those that did nothing are left out.

    Raises:
        ValueError: `depth` is negative, or there is no such metric.
    """
    expect(depth, (int, type(None)), "depth", "a number of levels from 0 up, or None for all")
    if depth is not None and depth < 0:
        raise ValueError(f"depth = {depth}: expected an integer from 0 up, or None for all levels")
    columns_of(metric, law.convention)
    rows = law.by_module()
    tree = folding(law, fold)
    found = []
    waiting = [(one, 0) for one in reversed(tree.below())]
    while waiting:
        one, level = waiting.pop()
        formula = _formula(rows[one.name], metric, len(one.members))
        if formula:
            found.append(FormulaRow(one, level, law.modules[one.first].type, formula))
        if depth is None or level < depth:
            waiting += [(below, level + 1) for below in reversed(tree.below(one))]
    return found


def _formula(row: LawRow, metric: str, modules: int) -> str:
    """The formula of so many equal modules; why there is none; or ``""`` if it is 0."""
    reason = row.refused.get(metric)
    if reason:
        return f"no formula: {reason}"
    formula = row.polynomial(metric) * modules
    return str(formula) if formula else ""


def module_table(law: LawData, depth: int | None, metric: str, *, fold: bool = True) -> Printable:
    """The modules with one formula each, indented below their parents, and under them where the
    formulas hold.

    Raises:
        ValueError: `depth` is negative, or there is no such metric.
    """
    rows = selected(law, depth, metric, fold=fold)
    leads = [indent(row.level) for row in rows]
    columns = [
        Cells("module", [clean(row.name) for row in rows], left=True, leads=leads),
        Cells("type", [clean(row.type) for row in rows], left=True, styles=["dim"] * len(rows)),
        Cells(metric, [clean(row.formula) for row in rows], left=True, keep=True),
    ]
    under = "\n".join([*told(rows), *notes(law)])
    return Printable(Group(Grid(columns), Text(), Text(under, style="dim")))


def told(rows: Iterable[FormulaRow]) -> list[str]:
    """How many modules stand in rows of several, a line if any do."""
    return [f"{what}: {text}" for what, text, _ in folds_told(row.fold for row in rows)]

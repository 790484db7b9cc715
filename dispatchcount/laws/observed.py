"""What a law takes from a report. The one file of this package that knows how reports are built."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from dispatchcount.report.metrics import ELEMENTWISE
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import COUNTED, NO_MODULE, ZERO
from dispatchcount.rules.core.cost import COUNTS

COLUMNS = (*COUNTS, "calls", "module_calls")
"""The figures of a row, each with formulas of its own: what a `Cost` counts, calls of operators,
calls of the module.
"""

CONTRACTED = ("macs", "fvcore")
"""The columns of an estimate that a law takes over, marked as such, if they follow a formula.

A grouped product on meta does not know how long its groups are, so all rows are counted; a solver's
published MACs are a formula too. An estimate of element-wise work, such as the comparisons of a
sort, is refused.
"""

UNCOUNTED = (*CONTRACTED, *ELEMENTWISE, "activations")
"""The columns that are missing where an operator has no rule, or where its rule failed."""


class Key(NamedTuple):
    """Which row: the module's name, the operator and the phase. The module's own calls stand under
    no operator and phase.

    A module that is called by others than those that hold it, such as an embedding that encoder and
    decoder share, has a row for each stack of callers, outermost first. It is empty for the usual
    one.
    """

    module: str
    op: str
    phase: str
    callers: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = f"called by {self.callers[-1] or '(root)'}" if self.callers else ""
        parts = (self.module or "(root)", self.op, self.phase, by)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """A module of the model: its name and type, the name of the one that holds it (None at the
    top), its own parameters.
    """

    name: str
    type: str
    parent: str | None
    params: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One run's figures.

    Attributes:
        modules: by name, each after its parent.
        rows: for each key one figure a column, in the order of `COLUMNS`. Rows of zeros are left
            out.
        refused: rows and columns for which the run itself has no exact figure, with the reason.
        estimated: rows and columns with an estimate that a law takes over, with the reason.
        devices: where tensors were.
        torch: the version.
        model: class names of the roots.
        phases: those that occurred.
    """

    modules: dict[str, ModuleRow]
    rows: dict[Key, tuple[int, ...]]
    refused: dict[tuple[Key, str], str] = field(default_factory=dict)
    estimated: dict[tuple[Key, str], str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    torch: str = ""
    model: str = ""
    training: bool | None = None
    phases: tuple[str, ...] = ()

    def figure(self, cell: tuple[Key, int]) -> int:
        """What a row has in the column at a place of `COLUMNS`, 0 for a row that is not there."""
        row = self.rows.get(cell[0])
        return row[cell[1]] if row else 0

    def total(self, column: str) -> int:
        """A column's sum over all rows."""
        place = COLUMNS.index(column)
        return sum(row[place] for row in self.rows.values())


def observed(report: ReportData) -> Observation:
    """The figures of a report by module, operator and phase."""
    names = [module.name for module in report.modules]
    callers = _callers(report)
    sums: dict[Key, list[int]] = {}
    refused: dict[tuple[Key, str], str] = {}
    estimated: dict[tuple[Key, str], str] = {}

    # Operators: entries that differ only in the dtype or the function are one row.
    for entry in report.entries:
        module = names[report.paths[entry.path].module]
        key = Key(module, entry.op, entry.phase, callers[entry.path])
        figures = (*(getattr(entry.cost, count) or 0 for count in COUNTS), entry.calls, 0)
        row = sums.setdefault(key, [0] * len(COLUMNS))
        for place, figure in enumerate(figures):
            row[place] += figure
        if entry.cost.estimate:
            for columns, found in ((CONTRACTED, estimated), (ELEMENTWISE, refused)):
                for column in columns:
                    if figures[COLUMNS.index(column)]:
                        found[key, column] = f"{entry.op} is an estimate"
        if entry.status not in (COUNTED, ZERO):
            for column in UNCOUNTED:
                refused[key, column] = f"{entry.op} is not counted ({entry.status})"

    # Modules: how often each was called.
    for path, stack in zip(report.paths, callers, strict=True):
        if path.calls:
            key = Key(names[path.module], "", "", stack)
            sums.setdefault(key, [0] * len(COLUMNS))[-1] += path.calls
    modules = {
        module.name: ModuleRow(
            module.name,
            module.type,
            names[module.parent] if module.parent >= 0 else None,
            module.params,
        )
        for module in report.modules
    }
    return Observation(
        modules,
        {key: tuple(row) for key, row in sums.items() if any(row)},
        refused,
        estimated,
        report.meta.devices,
        report.meta.torch,
        report.meta.model,
        report.meta.training,
        tuple(dict.fromkeys(entry.phase for entry in report.entries)),
    )


def _callers(report: ReportData) -> list[tuple[str, ...]]:
    """For each path the names of the modules that called, outermost first; nothing where each was
    called by one that holds it.

    A module that calls itself is in a stack once: how deep it goes is no matter of who calls.
    """
    holders: list[set[int]] = []
    for row in report.modules:
        holders.append({row.parent, *holders[row.parent]} if row.parent >= 0 else set())
    stacks: list[tuple[int, ...]] = []
    found: list[tuple[str, ...]] = []
    for path in report.paths:
        above = stacks[path.parent] if path.parent >= 0 else ()
        if path.module in above:
            above = above[: above.index(path.module)]
        stacks.append((*above, path.module))
        usual = all(
            caller in holders[module] or report.modules[caller].name == NO_MODULE
            for caller, module in pairwise(stacks[-1])
        )
        names = tuple(report.modules[caller].name for caller in above)
        found.append(() if usual else tuple(name for name in names if name != NO_MODULE))
    return found

"""What changed between two laws: a coefficient that changes changes the cost at all sizes at
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from dispatchcount.errors import LawError
from dispatchcount.laws.figures import FIGURES
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.laws.row import LawRow
from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.numbers import plural
from dispatchcount.render.plain import Printable, named

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


@dataclass(frozen=True, slots=True)
class FormulaChange:
    """A module's metric with another formula than before.

    Attributes:
        module: its name, ``""`` for the root, None for the whole.
        metric: which.
        old, new: the formulas; 0 where the module was not there, None where there is none.
    """

    module: str | None
    metric: str
    old: Polynomial | None
    new: Polynomial | None

    @property
    def difference(self) -> Polynomial | None:
        """What the new formula has more, None where one side has no formula."""
        return None if self.old is None or self.new is None else self.new - self.old


@dataclass(frozen=True, slots=True, repr=False)
class LawDiff:
    """Two laws compared under the older one's convention. It is true if anything changed.

    Attributes:
        changes: of the whole first, then of each module.
        domains: the sizes whose conditions changed, with the old and the new one.
    """

    changes: tuple[FormulaChange, ...]
    domains: tuple[tuple[str, str, str], ...] = ()

    @property
    def total(self) -> tuple[FormulaChange, ...]:
        """The changes of the whole."""
        return tuple(change for change in self.changes if change.module is None)

    def __bool__(self) -> bool:
        return bool(self.changes or self.domains)

    def table(self) -> Printable:
        """The changes as a rich table; `str()` of it is plain text."""
        if not self:
            return Printable(Text("no formula changed"))
        rows = [
            (
                "(all)" if change.module is None else named(change.module),
                change.metric,
                _text(change.old),
                _text(change.new),
            )
            for change in self.changes
        ]
        rows += [("(domain)", size, old, new) for size, old, new in self.domains]
        headers = ("module", "metric", "old", "new")
        cells = [
            Cells(header, [row[place] for row in rows], left=True, keep=True)
            for place, header in enumerate(headers)
        ]
        return Printable(Grid(cells))

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return f"<LawDiff: {plural(len(self.changes), 'formula')} changed>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def diff(old: LawData, new: LawData) -> LawDiff:
    """What changed from one law to another.

    Raises:
        LawError: the laws are in different sizes.
    """
    if old.sizes != new.sizes:
        raise LawError(
            f"a law in {', '.join(old.sizes)} cannot be compared with one in "
            f"{', '.join(new.sizes)}; "
            "make both with the same sizes in the same order"
        )
    new = new.with_convention(old.convention)
    nothing = Polynomial(old.sizes)
    changes: list[FormulaChange] = []

    def compare(module: str | None, before: LawRow | None, after: LawRow | None) -> None:
        for metric in FIGURES:
            a, b = (
                nothing
                if row is None
                else None
                if metric in row.refused
                else row.polynomial(metric)
                for row in (before, after)
            )
            if a != b:
                changes.append(FormulaChange(module, metric, a, b))

    compare(None, old.total, new.total)
    rows, others = old.by_module(), new.by_module()
    for module in dict.fromkeys((*rows, *others)):
        compare(module, rows.get(module), others.get(module))
    domains = [
        (size, old.holds[size], new.holds[size])
        for size in old.sizes
        if old.holds[size] != new.holds[size]
    ]
    return LawDiff(tuple(changes), tuple(domains))


def _text(polynomial: Polynomial | None) -> str:
    return "no formula" if polynomial is None else str(polynomial)

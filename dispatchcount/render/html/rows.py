"""The rows that all runs of a page share: the modules, their names and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatchcount.render.html.figures import Texts
from dispatchcount.render.html.groups import Groups
from dispatchcount.report.alike import local_name
from dispatchcount.report.coverage import gaps
from dispatchcount.report.roles import ROLES, roles

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData


class Facts:
    """What a page says of the modules of one report, by index of module."""

    def __init__(self, report: ReportData) -> None:
        self.report = report
        self.roles = roles(report.modules)
        self.gap = gaps(report)
        self.uncalled = set(report.uncalled_modules)
        self.stats = report.by_module()
        self.shown = [i for i, module in enumerate(report.modules) if module.name in self.stats]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a page.

    Attributes:
        facts: the report that it is taken from.
        index: of its module there.
        parent: the row above; -1 for a top row.
        name: what its name adds to that of the row above.
        whole: True if that is all of its name.
        type: its class.
    """

    facts: Facts
    index: int
    parent: int
    name: str
    whole: bool
    type: str


def row(facts: Facts, index: int, parent: int, type_: str | None = None) -> Row:
    """The row of a module, with another class than its own if one is given."""
    name, whole = local_name(facts.report.modules, index)
    type_ = facts.report.modules[index].type if type_ is None else type_
    return Row(facts, index, parent, name, whole, type_)


def table(rows: Sequence[Row], folds: Groups) -> dict[str, Any]:
    """What is known of each row, a column a fact; a flag is the list of the rows that have it."""
    types, extras = Texts(), Texts()
    modules = [one.facts.report.modules[one.index] for one in rows]
    flags = {
        "whole": [one.whole for one in rows],
        "uncalled": [m.name in one.facts.uncalled for m, one in zip(modules, rows, strict=True)],
        "estimate": [
            one.facts.stats[m.name].estimate for m, one in zip(modules, rows, strict=True)
        ],
        "gap": [one.facts.gap[one.index] for one in rows],
        "container": [module.container for module in modules],
    }
    return {
        "name": [one.name for one in rows],
        "parent": [one.parent for one in rows],
        "type": [types.number(one.type) for one in rows],
        "types": types.all(),
        "extra": [extras.number(module.extra) for module in modules],
        "extras": extras.all(),
        "role": [ROLES.index(one.facts.roles[one.index]) for one in rows],
        "roles": list(ROLES),
        "aliases": {place: list(m.aliases) for place, m in enumerate(modules) if m.aliases},
        **{flag: [place for place, has in enumerate(of) if has] for flag, of in flags.items()},
        "folds": folds.for_script(),
    }

"""The rows that all runs of a page share: the modules, their names and what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispatchcount.render.html.figures import Texts
from dispatchcount.report.coverage import gaps
from dispatchcount.report.fold import Fold, Folding, local_name
from dispatchcount.report.roles import ROLES, roles

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData


def shown(report: ReportData) -> list[int]:
    """Indices in `Report.modules` of the modules that have a row, in order."""
    rows = report.by_module()
    return [index for index, module in enumerate(report.modules) if module.name in rows]


def module_rows(report: ReportData) -> dict[str, Any]:
    """What is known of each module, a column a fact.

    A name is what it adds to the name of the row above; rows in ``whole`` have all of it.
    """
    rows = shown(report)
    place = {index: row for row, index in enumerate(rows)}
    modules = [report.modules[index] for index in rows]
    names = [local_name(report.modules, index) for index in rows]
    types, extras = Texts(), Texts()
    part = roles(report.modules)
    stats = report.by_module()
    gap = gaps(report)
    uncalled = set(report.uncalled_modules)
    facts = {
        "whole": [whole for _, whole in names],
        "uncalled": [module.name in uncalled for module in modules],
        "estimate": [stats[module.name].estimate for module in modules],
        "gap": [gap[index] for index in rows],
        "container": [module.container for module in modules],
    }
    return {
        "name": [name for name, _ in names],
        "parent": [place.get(module.parent, -1) for module in modules],
        "type": [types.number(module.type) for module in modules],
        "types": types.all(),
        "extra": [extras.number(module.extra) for module in modules],
        "extras": extras.all(),
        "role": [ROLES.index(part[index]) for index in rows],
        "roles": list(ROLES),
        "aliases": {row: list(m.aliases) for row, m in enumerate(modules) if m.aliases},
        **{fact: [row for row, true in enumerate(of) if true] for fact, of in facts.items()},
        "folds": folds(report, place),
    }


def folds(report: ReportData, place: dict[int, int]) -> dict[str, Any]:
    """Which siblings are one row, as `report.fold` folds them.

    Args:
        report: the report.
        place: the row of each module's index.

    Returns:
        ``members``: the rows of each fold, in order; ``label``: their name as one, ``"0–31"``;
        ``merged``: rows of containers that stand under one name with the fold below them.
    """
    folding = Folding(report)
    members: list[list[int]] = []
    labels: list[str] = []
    merged: list[int] = []
    for index in place:
        module = report.modules[index]
        for below in folding.below(Fold((index,), 1, module.name, module.name, None, True)):
            if below.times < 2:
                continue
            parent = report.modules[below.first].parent
            if parent == index:
                members.append([place[member] for member in below.members])
                labels.append(below.label)
            else:
                merged.append(place[parent])
    return {"members": members, "label": labels, "merged": merged}

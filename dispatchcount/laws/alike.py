"""Which modules of a law are equal, so that its tables fold them as those of reports do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatchcount.laws.row import Sums
from dispatchcount.laws.views import MODULE_CALLS, own_sums
from dispatchcount.report.alike import local_name
from dispatchcount.report.fold import Folding
from dispatchcount.report.tree import children

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


@dataclass(frozen=True, slots=True)
class _Placed:
    """A module with the index of its parent, as the trees of reports have it."""

    name: str
    parent: int


def folding(law: LawData, fold: bool = True) -> Folding:
    """The module tree of a law with equal siblings folded.

    Modules are equal if they and all modules below them have the same types, numbers of parameters
    and formulas in every column, and if the same of them have none.

    Args:
        law: the law.
        fold: False gives every module a row of its own.
    """
    places = {module.name: place for place, module in enumerate(law.modules)}
    modules = [
        _Placed(module.name, -1 if module.parent is None else places[module.parent])
        for module in law.modules
    ]
    rows = law.by_module()
    below = children(modules, lambda index: modules[index].name in rows)
    if not fold:
        return Folding(modules, below, None)
    own = own_sums(law)
    sums = [own.get(module.name, Sums()) for module in law.modules]
    return Folding(
        modules,
        below,
        _alike(law, modules, below, sums),
        [
            not (module.params or done.refused or set(done.counts) - {MODULE_CALLS})
            for module, done in zip(law.modules, sums, strict=True)
        ],
    )


def _alike(
    law: LawData, modules: list[_Placed], below: dict[int, list[int]], sums: list[Sums]
) -> list[int]:
    """For each module by index a number that equal modules share."""
    known: dict[object, int] = {}
    numbers = [0] * len(modules)
    # Children come after their parents in the table, so that backwards each finds its own done.
    for index in range(len(modules) - 1, -1, -1):
        done = sums[index]
        key = (
            law.modules[index].type,
            law.modules[index].params,
            frozenset(
                (column, frozenset(counts.items())) for column, counts in done.counts.items()
            ),
            frozenset(done.refused.items()),
            frozenset(done.estimated),
            tuple(
                (local_name(modules, child)[0], numbers[child]) for child in below.get(index, ())
            ),
        )
        numbers[index] = known.setdefault(key, len(known) + 1)
    return numbers

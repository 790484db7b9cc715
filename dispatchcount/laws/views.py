"""Rows of a law summed by module, operator and phase. Pure functions of the law."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from dispatchcount.laws.observed import Key
from dispatchcount.laws.row import LawRow, Sums
from dispatchcount.report.rows import NO_MODULE

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData

G = TypeVar("G")

MODULE_CALLS = "module_calls"


def total(law: LawData) -> LawRow:
    """The whole: all rows, and every module's parameters once."""
    sums = _summed(law, lambda key: "")
    whole = sums.get("", Sums())
    whole.params = sum(module.params for module in law.modules)
    return LawRow(law, whole)


def by_operator(law: LawData, modules: Iterable[str] | None = None) -> dict[str, LawRow]:
    """The rows by operator, of all modules or of some."""
    kept = None if modules is None else set(modules)
    sums = _summed(
        law, lambda key: key.op if key.op and (kept is None or key.module in kept) else None
    )
    return {op: LawRow(law, found, of_operator=True) for op, found in sums.items()}


def by_phase(law: LawData) -> dict[str, LawRow]:
    """The rows by phase: forward, backward, …"""
    sums = _summed(law, lambda key: key.phase or None)
    return {phase: LawRow(law, found) for phase, found in sums.items()}


def by_phase_and_operator(law: LawData) -> dict[tuple[str, str], LawRow]:
    """The rows by phase and operator, of all modules together."""
    sums = _summed(law, lambda key: (key.phase, key.op) if key.op else None)
    return {part: LawRow(law, found, of_operator=True) for part, found in sums.items()}


def by_module(law: LawData) -> dict[str, LawRow]:
    """Every module's row with all modules in it; `self_` is its own part."""
    own = own_sums(law)
    whole: dict[str, Sums] = {}
    for module in law.modules:
        mine = own.setdefault(module.name, Sums())
        mine.params = module.params
        whole[module.name] = Sums(params=module.params)
        whole[module.name].add(mine)
    # A module comes after the one that holds it, so the last ones are complete first.
    for module in reversed(law.modules):
        if module.parent is not None:
            # How often a module is called is no sum over the modules in it.
            whole[module.parent].add(whole[module.name], but=MODULE_CALLS)
            whole[module.parent].params += whole[module.name].params
    return {
        module.name: LawRow(law, whole[module.name], of_module=True, own=own[module.name])
        for module in law.modules
        if module.name != NO_MODULE or own[NO_MODULE].counts or own[NO_MODULE].refused
    }


def own_sums(law: LawData) -> dict[str, Sums]:
    """What each module does itself, of those that do anything."""
    return _summed(law, lambda key: key.module)


def by_call(law: LawData, name: str) -> dict[str, LawRow]:
    """The rows of one module, with all modules in it, by the stack of modules that called it:
    ``"(root) > encoder"``.

    Raises:
        KeyError: the law has no such module.
    """
    modules = {module.name: module for module in law.modules}
    if name not in modules:
        raise KeyError(f"the law has no module {name!r}")
    called = {row.key.module for row in law.rows if MODULE_CALLS in row.columns}

    def stack(key: Key) -> tuple[str, ...]:
        """The modules on the stack, the row's own the last."""
        if key.callers:
            return (*key.callers, key.module)
        found = [key.module]
        holder = modules[key.module].parent
        while holder is not None:
            if holder in called or holder == name:
                found.insert(0, holder)
            holder = modules[holder].parent
        return tuple(found)

    def group(key: Key) -> str | None:
        """The modules above the one asked for, as text; None where that is not on the stack."""
        found = stack(key)
        if name not in found:
            return None
        return " > ".join(caller or "(root)" for caller in found[: found.index(name)])

    whole = _summed(law, lambda key: group(key) if key.module == name else None)
    inner = _summed(law, lambda key: None if key.module == name else group(key))
    params = law.by_module()[name].polynomial("params")
    for caller, sums in inner.items():
        whole.setdefault(caller, Sums()).add(sums, but=MODULE_CALLS)
    for sums in whole.values():
        sums.params = int(params.at([0] * len(law.sizes)))
    return {caller: LawRow(law, sums, of_module=True) for caller, sums in whole.items()}


def by_module_and_operator(law: LawData) -> dict[str, dict[str, LawRow]]:
    """For each module its rows by operator, those of the modules in it included."""
    sums: dict[str, dict[str, Sums]] = {module.name: {} for module in law.modules}
    for (module, op), found in _summed(law, lambda key: (key.module, key.op)).items():
        if op:
            sums[module][op] = found
    for row in reversed(law.modules):
        if row.parent is not None:
            for op, found in sums[row.name].items():
                above = sums[row.parent].setdefault(op, Sums())
                above.add(found)
    return {
        module: {
            op: LawRow(law, found, of_operator=True) for op, found in sorted(operators.items())
        }
        for module, operators in sums.items()
        if module != NO_MODULE or operators
    }


def _summed(law: LawData, group: Callable[[Key], G | None]) -> dict[G, Sums]:
    """The rows added up by what `group` makes of their keys; those for which it is None are left
    out.
    """
    sums: dict[G, Sums] = {}
    for row in law.rows:
        name = group(row.key)
        if name is not None:
            counts = sums.setdefault(name, Sums()).counts
            for column, number in row.columns.items():
                counts.setdefault(column, Counter())[number] += 1
    for note in law.estimates:
        name = group(note.key)
        if name is not None:
            sums.setdefault(name, Sums()).estimated.add(note.column)
    for refusal in law.refusals:
        name = group(refusal.key)
        if name is not None:
            refused = sums.setdefault(name, Sums()).refused
            refused.setdefault(refusal.column, refusal.reason)
    return sums

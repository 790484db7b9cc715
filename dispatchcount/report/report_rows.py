"""The rows of a report and nothing worked out from them: what is saved, loaded and merged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dispatchcount.report.brief import Brief
from dispatchcount.report.conventions import Convention, find_convention
from dispatchcount.report.rows import Entry, Memory, Meta, Module, ModuleCost, OpIssue, Path, Sample
from dispatchcount.rules.core.group import Group


@dataclass(frozen=True, repr=False)
class ReportRows(Brief):
    """What a profiled block did, as rows. Every figure is an exact int unless marked an estimate.

    The views (`views.py`, `samples.py`) are functions of this class. `ReportData` offers them as
    methods; because they do not need `ReportData`, no two files import each other.

    Attributes:
        meta: versions, devices, where the block stopped, the user's labels.
        convention: name of the convention that `flops` follows; see `with_convention`.
        modules: the module table; index 0 is work outside every module, index 1 the root ``""``.
        paths: the stacks of calls seen; index 0 is outside every module.
        entries: what ran, one for each distinct path, operator, phase and dtype.
        issues: operators that could not be counted.
        samples, profiles: see `dispatchcount.Profile.sample`.
        memory: see ``profile(memory=True)``; None where it was not asked for.
        groups: the process groups that collectives were called with; see `by_collective`.
    """

    meta: Meta
    convention: str
    modules: tuple[Module, ...]
    paths: tuple[Path, ...]
    entries: tuple[Entry, ...]
    issues: tuple[OpIssue, ...] = ()
    samples: tuple[Sample, ...] = ()
    profiles: tuple[tuple[ModuleCost, ...], ...] = ()
    memory: Memory | None = None
    groups: tuple[Group, ...] = ()

    @cached_property
    def flop_definition(self) -> Convention:
        """What counts as a flop under the report's convention."""
        return find_convention(self.convention)

    def module_index(self, name: str) -> int:
        """Index in `modules` of a name or an alias.

        Raises:
            KeyError: no module goes by that name.
        """
        index = self._names.get(name)
        if index is None:
            raise KeyError(f"no module is called {name!r}; by_module() lists them")
        return index

    @cached_property
    def _names(self) -> dict[str, int]:
        """Index of every module by each of its names; a first name goes before another's alias."""
        names = {alias: i for i, module in enumerate(self.modules) for alias in module.aliases}
        return names | {module.name: i for i, module in enumerate(self.modules)}

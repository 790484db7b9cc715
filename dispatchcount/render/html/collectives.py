"""The collectives of a page: what was sent of each module's data, and in which process group."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from dispatchcount.render.html.figures import Figures
from dispatchcount.report.tally import Tally
from dispatchcount.rules.core.traffic import pattern_of

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData
    from dispatchcount.rules.core.group import Group


class Collectives:
    """The kinds of collectives and the process groups of a page, each once.

    A kind is an operator, with or without data of the model's.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, bool], int] = {}
        self._groups: dict[Group, int] = {}

    def kind(self, op: str, control: bool) -> int:
        """The number of a kind."""
        return self._kinds.setdefault((op, control), len(self._kinds))

    def group(self, group: Group) -> int:
        """The number of a process group."""
        return self._groups.setdefault(group, len(self._groups))

    def all(self) -> dict[str, Any] | None:
        """Kinds and groups, by number, a column a fact; None if nothing was sent."""
        if not self._kinds:
            return None
        patterns = [pattern_of(op) for op, _ in self._kinds]
        return {
            "op": [op for op, _ in self._kinds],
            "control": [control for _, control in self._kinds],
            "pattern": ["" if pattern is None else pattern.name for pattern in patterns],
            "side": ["" if pattern is None else pattern.payload for pattern in patterns],
            "groups": {
                "label": [group.label for group in self._groups],
                "size": [group.size for group in self._groups],
                "ranks": [group.span for group in self._groups],
            },
        }


def sent(
    report: ReportData,
    phase: str | None,
    place: dict[int, int],
    figures: Figures,
    collectives: Collectives,
) -> dict[str, list[int]] | None:
    """What was sent in a run, by module whose data it is, module that ran, kind and group.

    One place of the lists is a sum of calls. A group is told by its place among ``groups``, which
    has the numbers of the run's groups: ranks that do the same in groups of their own have equal
    lists otherwise.

    Args:
        report: the report.
        phase: the phase of the run, None for all.
        place: the row of each module's index.
        figures: the page's figures.
        collectives: the page's kinds and groups.

    Returns:
        The lists; None if nothing was sent in any run of the report.
    """
    if all(entry.group is None for entry in report.entries):
        return None
    tallies: defaultdict[tuple[int, int, int, int], Tally] = defaultdict(Tally)
    for entry in report.entries:
        if entry.group is not None and phase in (None, entry.phase):
            owner = place[report.paths[entry.path].module]
            issuer = -1 if entry.issuer is None else place.get(entry.issuer, -1)
            kind = collectives.kind(entry.op, entry.control)
            tally = tallies[owner, issuer, kind, entry.group]
            tally.add_entry(entry)
            tally.calls += entry.calls
    rows, issuers, kinds, groups = zip(*tallies, strict=True) if tallies else ((), (), (), ())
    lines = [figures.line(tally.stats(report.flop_definition)) for tally in tallies.values()]
    return {
        "row": list(rows),
        "issuer": list(issuers),
        "kind": list(kinds),
        "group": list(groups),
        "line": lines,
        "groups": [collectives.group(group) for group in report.groups],
    }

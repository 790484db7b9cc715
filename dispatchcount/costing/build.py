"""From a recording and the rules to a report.

Each distinct call is costed once, then summed by path, operator and phase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from dispatchcount.costing.accountant import Accountant, RowKey, Rows
from dispatchcount.costing.paths import Locate, paths_of
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import (
    Entry,
    Memory,
    Meta,
    Module,
    ModuleCost,
    OpIssue,
    Sample,
)
from dispatchcount.report.tally import Tally
from dispatchcount.rules.core.group import Group

if TYPE_CHECKING:
    from dispatchcount.capture.record import Recording
    from dispatchcount.costing.samples import Sampler, Sums

R = TypeVar("R", bound=ReportData)


def build(
    recording: Recording,
    accountant: Accountant,
    sampler: Sampler,
    *,
    meta: Meta,
    convention: str,
    locate: Locate,
    modules: Callable[[], tuple[Module, ...]],
    make: Callable[..., R],
    memory: Memory | None = None,
) -> R:
    """A report of what was recorded so far. The recording stays as it is.

    Args:
        recording: the record; nothing may wait on its tape.
        accountant: costs it.
        sampler: has the samples.
        meta: versions and the like.
        convention: the report's.
        locate: a module's row by its info.
        modules: the module table, asked for once every row is located.
        make: the class of the report.
        memory: if it was measured.
    """
    issues = {key: issue.copy() for key, issue in accountant.issues.items()}
    paths, places = paths_of(recording.tree, locate)
    rows: list[Rows] = [{} for _ in paths]
    for node, place in places.items():
        _add_rows(rows[place], accountant.rows(node, issues))
    groups: dict[Group, int] = {}
    entries = [
        _entry(place, key, tally, groups, locate)
        for place, sums in enumerate(rows)
        for key, tally in sums.items()
    ]
    kept, profiles = _samples(sampler, locate)
    located = [
        (op, status, issue, [locate(info) for info in issue.infos])
        for (op, status), issue in issues.items()
    ]
    table = modules()
    return make(
        meta=replace(
            meta,
            devices=tuple(map(str, recording.devices)),
            dtypes=tuple(dict.fromkeys(entry.dtype for entry in entries if entry.dtype)),
            notes=(*recording.notes, *map(_unweighed, accountant.unweighed)),
        ),
        convention=convention,
        modules=table,
        paths=tuple(paths),
        entries=tuple(entries),
        issues=tuple(
            OpIssue(
                op,
                status,
                issue.calls,
                tuple(dict.fromkeys(table[row].name for row in rows)),
                tuple(issue.shapes),
                issue.message,
                issue.nbytes,
            )
            for op, status, issue, rows in located
        ),
        samples=kept,
        profiles=profiles,
        memory=memory,
        groups=tuple(groups),
    )


def _entry(
    place: int, key: RowKey, tally: Tally, groups: dict[Group, int], locate: Locate
) -> Entry:
    """The row of what calls that are alike cost on one path. `groups` gets the group of theirs."""
    op, phase, dtype, status, function, traffic = key
    entry = Entry(
        place, op, phase, dtype, status, function, tally.calls, tally.cost(), tally.time_ns
    )
    if traffic is None:
        return entry
    return replace(
        entry,
        group=groups.setdefault(traffic.group, len(groups)),
        issuer=locate(traffic.issued.by),
        control=traffic.issued.control,
    )


def _add_rows(sums: Rows, rows: Rows) -> None:
    """Add the sums of one more node to those of the path that it is on."""
    for key, tally in rows.items():
        known = sums.setdefault(key, tally)
        if known is not tally:
            known.add(tally)
            known.calls += tally.calls


def _unweighed(op: str) -> str:
    return (
        f"some MACs of {op} are not among the non-zero ones, because it is not known which of them "
        "have a weight of zero"
    )


def _samples(
    sampler: Sampler, locate: Locate
) -> tuple[tuple[Sample, ...], tuple[tuple[ModuleCost, ...], ...]]:
    """The samples, and their profiles.

    Samples that did the same share a profile, and profiles share equal rows.
    """
    profiles: dict[tuple[ModuleCost, ...], int] = {}
    shared: dict[ModuleCost, ModuleCost] = {}
    places: list[int] = []
    for sums in sampler.sums:
        rows = [
            ModuleCost(row, tally.calls, tally.cost())
            for row, tally in sorted(_by_row(sums, locate).items())
        ]
        profile = tuple(shared.setdefault(row, row) for row in rows)
        places.append(profiles.setdefault(profile, len(profiles)))
    return tuple(Sample(label, places[i]) for label, i in sampler.samples), tuple(profiles)


def _by_row(sums: Sums, locate: Locate) -> dict[int, Tally]:
    """What was done on each row of the module table.

    A call of a wrapper is no call besides that of what it wraps; see `dispatchcount.costing.paths`.
    """
    rows: dict[int, Tally] = {}
    for info, tally in sums.items():
        row = rows.setdefault(locate(info), Tally())
        row.add(tally)
        called = sums.get(info.innermost()) if info.wraps is not None else None
        row.calls += tally.calls if called is None or not called.calls else 0
    return rows

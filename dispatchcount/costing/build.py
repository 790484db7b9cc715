"""From a recording and the rules to a report.

Each distinct call is costed once, then summed by path, operator and phase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dispatchcount.costing.accountant import Accountant
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import (
    Entry,
    Memory,
    Meta,
    Module,
    ModuleCost,
    OpIssue,
    Path,
    Sample,
)
from dispatchcount.rules.core.group import Group

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info
    from dispatchcount.capture.record import Node, Recording
    from dispatchcount.costing.samples import Sampler

R = TypeVar("R", bound=ReportData)


def build(
    recording: Recording,
    accountant: Accountant,
    sampler: Sampler,
    *,
    meta: Meta,
    convention: str,
    locate: Callable[[Info], int],
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
    paths: list[Path] = []
    entries: list[Entry] = []
    index: dict[Node, int] = {}
    groups: dict[Group, int] = {}
    for node in recording.tree.descend():
        index[node] = len(paths)
        parent = index[node.parent] if node.parent is not None else -1
        paths.append(Path(parent, locate(node.info), signature_text(node.inputs), node.calls))
        for key, tally in accountant.rows(node, issues).items():
            op, phase, dtype, status, function, traffic = key
            entry = Entry(
                index[node],
                op,
                phase,
                dtype,
                status,
                function,
                tally.calls,
                tally.cost(),
                tally.time_ns,
            )
            if traffic is not None:
                entry = replace(
                    entry,
                    group=groups.setdefault(traffic.group, len(groups)),
                    issuer=locate(traffic.issued.by),
                    control=traffic.issued.control,
                )
            entries.append(entry)
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
            notes=tuple(recording.notes),
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


def _samples(
    sampler: Sampler, locate: Callable[[Info], int]
) -> tuple[tuple[Sample, ...], tuple[tuple[ModuleCost, ...], ...]]:
    """The samples, and their profiles.

    Samples that did the same share a profile, and profiles share equal rows.
    """
    profiles: dict[tuple[ModuleCost, ...], int] = {}
    shared: dict[ModuleCost, ModuleCost] = {}
    places: list[int] = []
    for sums in sampler.sums:
        rows = [ModuleCost(locate(info), tally.calls, tally.cost()) for info, tally in sums.items()]
        rows.sort(key=lambda row: row.module)
        profile = tuple(shared.setdefault(row, row) for row in rows)
        places.append(profiles.setdefault(profile, len(profiles)))
    return tuple(Sample(label, places[i]) for label, i in sampler.samples), tuple(profiles)


def signature_text(signature: Any) -> str:
    """The input shapes of a module call as text.

    It is ``"(1, 3, 224, 224)"``, or ``"x=(1, 3)"`` where an input was passed by name.
    """
    if isinstance(signature, str):
        return signature
    return _input_text(signature)


def _input_text(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, tuple):
        return str(value)
    if len(value) == 2 and isinstance(value[0], str):
        return f"{value[0]}={_input_text(value[1])}"
    if any(not isinstance(item, int) for item in value):
        return ", ".join(map(_input_text, value))
    return f"({', '.join(map(str, value))})"

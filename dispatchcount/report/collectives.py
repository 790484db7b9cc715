"""What was sent between ranks: totals by operator and process group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatchcount.report.brief import Brief
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import PHASES, Entry
from dispatchcount.report.tree import below
from dispatchcount.rules.core.group import Group
from dispatchcount.rules.core.traffic import pattern_of


@dataclass(frozen=True, slots=True, repr=False)
class Traffic(Brief):
    """What some collectives sent.

    Attributes:
        calls: how often they were called. One call may take several tensors.
        payload_bytes: the bytes of the whole that they are about; `Collective.payload_of` says
            which side that is.
        wire_bytes: the bytes that pass this rank's link in one direction, by the ring algorithm;
            `dispatchcount.rules.core.traffic` has the formulas.
    """

    calls: int = 0
    payload_bytes: int = 0
    wire_bytes: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        """Both together."""
        return Traffic(
            self.calls + other.calls,
            self.payload_bytes + other.payload_bytes,
            self.wire_bytes + other.wire_bytes,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Collective(Brief):
    """All calls of one operator in one process group.

    Calls that carry no data of the model's have a row of their own.

    Attributes:
        op: the operator, ``"c10d.allreduce_"``.
        group: the process group: its name, ranks and size, and its dimension of a device mesh.
        control: True if they carry objects, metadata or nothing (barriers).
        calls, payload_bytes, wire_bytes: as in `Traffic`.
        modules: the same by the module whose data moved.
        issued_by: the same by the module that ran when they were called.
        phases: the same by phase.
    """

    op: str
    group: Group
    control: bool
    calls: int
    payload_bytes: int
    wire_bytes: int
    modules: dict[str, Traffic]
    issued_by: dict[str, Traffic]
    phases: dict[str, Traffic]

    @property
    def payload_of(self) -> str:
        """What the payload is: ``"input"``, what the rank hands in, or ``"output"``, what it gets.

        It is ``""`` for an operator that is not torch's.
        """
        pattern = pattern_of(self.op)
        return "" if pattern is None else pattern.payload

    @property
    def pattern(self) -> str:
        """What people call it, ``"all-reduce"``; the operator's name if it is not torch's."""
        pattern = pattern_of(self.op)
        return self.op if pattern is None else pattern.name


def by_collective(report: ReportRows, name: str | None = None) -> list[Collective]:
    """A row for each operator and group, most wire bytes first; control traffic comes last.

    Args:
        report: the report.
        name: a module; only data of its own and of the modules below it are counted then.

    Raises:
        KeyError: no module goes by that name.
    """
    within = None if name is None else below(report.modules, report.module_index(name))
    rows: dict[tuple[str, int, bool], list[Entry]] = {}
    for entry in report.entries:
        if entry.group is None:
            continue
        if within is None or report.paths[entry.path].module in within:
            rows.setdefault((entry.op, entry.group, entry.control), []).append(entry)
    found = [
        _row(report, op, report.groups[group], control, entries)
        for (op, group, control), entries in rows.items()
    ]
    found.sort(key=lambda row: (row.control, -row.wire_bytes, -row.payload_bytes, row.op))
    return found


def _row(
    report: ReportRows, op: str, group: Group, control: bool, entries: list[Entry]
) -> Collective:
    names = [module.name for module in report.modules]
    parts = [
        (
            names[report.paths[entry.path].module],
            names[0 if entry.issuer is None else entry.issuer],
            entry.phase,
            Traffic(entry.calls, entry.cost.payload_bytes, entry.cost.wire_bytes),
        )
        for entry in entries
    ]
    total = sum((traffic for *_, traffic in parts), Traffic())
    return Collective(
        op,
        group,
        control,
        total.calls,
        total.payload_bytes,
        total.wire_bytes,
        modules=_summed((owner, traffic) for owner, _, _, traffic in parts),
        issued_by=_summed((issuer, traffic) for _, issuer, _, traffic in parts),
        phases=_summed(
            (phase, traffic) for one in PHASES for _, _, phase, traffic in parts if phase == one
        ),
    )


def _summed(parts: Iterable[tuple[str, Traffic]]) -> dict[str, Traffic]:
    sums: dict[str, Traffic] = {}
    for key, traffic in parts:
        sums[key] = sums.get(key, Traffic()) + traffic
    return sums

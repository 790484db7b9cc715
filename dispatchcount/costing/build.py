"""From a recording and the rules to a report: each distinct call is costed once, then summed by path, operator and phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dispatchcount.costing.apply import Costed, cost_of
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import (
    COUNTED,
    FORWARD,
    PHASES,
    UNSEEN,
    ZERO,
    Entry,
    Memory,
    Meta,
    Module,
    ModuleCost,
    OpIssue,
    Path,
    Sample,
)
from dispatchcount.report.tally import Tally
from dispatchcount.rules.core.registry import Registry

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info
    from dispatchcount.capture.record import Node, Recording, Signature
    from dispatchcount.capture.sampling import Sums

R = TypeVar("R", bound=ReportData)

MAX_SHAPES = 8
"""Distinct argument lists that an issue shows."""

RowKey = tuple[str, str, str, str, str]
"""Operator, phase, dtype, status and Python-level function."""

Rows = dict[RowKey, Tally]


class Issue:
    """An operator that is not counted, as it adds up."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.calls = 0
        self.nbytes = 0
        self.infos: dict[Info, None] = {}
        self.shapes: dict[str, None] = {}

    def add(self, info: Info, shapes: str, calls: int, nbytes: int) -> None:
        """More calls of it, in `info`."""
        self.calls += calls
        self.nbytes += nbytes
        self.infos[info] = None
        if len(self.shapes) < MAX_SHAPES:
            self.shapes[shapes] = None

    def copy(self) -> Issue:
        """One that adds up on its own from here."""
        issue = Issue(self.message)
        issue.calls, issue.nbytes, issue.infos, issue.shapes = (
            self.calls,
            self.nbytes,
            dict(self.infos),
            dict(self.shapes),
        )
        return issue


class Accountant:
    """Costs what a recording holds. Rules are asked once for each signature."""

    def __init__(
        self, rules: Registry, times: dict[tuple[int, Signature], int] | None = None
    ) -> None:
        """`times`: nanoseconds by id of the table and signature, where they were measured."""
        self.rules = rules
        self._times = {} if times is None else times
        self.issues: dict[tuple[str, str], Issue] = {}
        self._keys: dict[
            RowKey, RowKey
        ] = {}  # each once: they outnumber the operators by the calls' stacks

    def fold(self, node: Node) -> None:
        """Add the cost of a node's records to its sums; the caller then drops the records."""
        if any(table for _, table in node.tables()):
            if node.folded is None:
                node.folded = {}
            self._add_records(node.folded, node, self.issues)
            for _, table in node.tables():
                for signature in table if self._times else ():
                    self._times.pop((id(table), signature), None)

    def rows(self, node: Node, issues: dict[tuple[str, str], Issue]) -> Rows:
        """A node's sums: those folded before and its records. Operators that are not counted go to `issues`."""
        rows: Rows = {}
        for key, folded in (node.folded or {}).items():
            rows[key] = tally = Tally()
            tally.add(folded)
            tally.calls = folded.calls
        self._add_records(rows, node, issues)
        return rows

    def _add_records(self, rows: Rows, node: Node, issues: dict[tuple[str, str], Issue]) -> None:
        for phase, table in node.tables():
            for signature, calls in table.items():
                tally = self._add_record(rows, PHASES[phase], signature, calls, node.info, issues)
                if self._times:
                    tally.time_ns += self._times.get((id(table), signature), 0)

    def _add_record(
        self,
        rows: Rows,
        phase: str,
        signature: Signature,
        calls: int,
        info: Info,
        issues: dict[tuple[str, str], Issue],
    ) -> Tally:
        costed, dtype = self.cost(signature)
        key = (signature.plan.name, phase, dtype, costed.status, signature.function)
        tally = rows.get(key)
        if tally is None:
            tally = rows[self._keys.setdefault(key, key)] = Tally()
        cost = costed.cost
        if cost.activations and phase != FORWARD:
            # Activations are what a layer hands on in the forward; a gradient is not one.
            cost = replace(cost, activations=0)
        tally.add_cost(cost, calls)
        tally.calls += calls
        if costed.status not in (COUNTED, ZERO):
            issue = issues.setdefault((signature.plan.name, costed.status), Issue(costed.message))
            issue.add(
                info,
                signature.text,
                calls,
                ((cost.bytes_read or 0) + (cost.bytes_written or 0)) * calls,
            )
        return tally

    def cost(self, signature: Signature) -> tuple[Costed, str]:
        """The cost of one call and the dtype it works in, kept with it until the rules change."""
        known = signature.cost
        if known is None or known[0] != self.rules.version:
            plan = signature.plan
            call = signature.args, signature.kwargs, signature.out
            costed = cost_of(
                plan.entry(self.rules), *call, written=plan.unreturned, filled=plan.filled
            )
            if plan.unseen:
                costed = replace(costed, status=UNSEEN)
            known = signature.cost = (self.rules.version, (costed, signature.dtype))
        return known[1]  # type: ignore[no-any-return]

    def add(self, tally: Tally, signature: Signature, calls: int) -> None:
        """Put the cost of so many calls on a sum."""
        tally.add_cost(self.cost(signature)[0].cost, calls)


def build(
    recording: Recording,
    accountant: Accountant,
    samples: Sequence[tuple[str, Sums]],
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
        recording: the record.
        accountant: costs it.
        samples: label and sums of each.
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
    for node in recording.root.walk():
        index[node] = len(paths)
        parent = index[node.parent] if node.parent is not None else -1
        paths.append(Path(parent, locate(node.info), signature_text(node.signature), node.calls))
        for (op, phase, dtype, status, function), tally in accountant.rows(node, issues).items():
            entries.append(
                Entry(
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
            )
    kept, profiles = _samples(samples, locate)
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
    )


def _samples(
    samples: Sequence[tuple[str, Sums]], locate: Callable[[Info], int]
) -> tuple[tuple[Sample, ...], tuple[tuple[ModuleCost, ...], ...]]:
    profiles: dict[tuple[ModuleCost, ...], int] = {}
    known: dict[int, int] = {}
    shared: dict[ModuleCost, ModuleCost] = {}
    kept = []
    for label, sums in samples:
        if id(sums) not in known:
            rows = [
                ModuleCost(locate(info), tally.calls, tally.cost()) for info, tally in sums.items()
            ]
            profile = tuple(
                shared.setdefault(row, row) for row in sorted(rows, key=lambda row: row.module)
            )
            known[id(sums)] = profiles.setdefault(profile, len(profiles))
        kept.append(Sample(label, known[id(sums)]))
    return tuple(kept), tuple(profiles)


def signature_text(signature: Any) -> str:
    """The input shapes of a module call as text: ``(1, 3, 224, 224)``, by name where they were passed so."""
    if isinstance(signature, str):
        return signature
    return _text(signature)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, tuple):
        return str(value)
    if len(value) == 2 and isinstance(value[0], str):
        return f"{value[0]}={_text(value[1])}"
    if any(not isinstance(item, int) for item in value):
        return ", ".join(map(_text, value))
    return f"({', '.join(map(str, value))})"

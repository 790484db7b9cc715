"""Many reports as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TypeVar

from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import (
    Entry,
    Memory,
    Module,
    ModuleCost,
    ModuleMemory,
    OpIssue,
    Path,
    Sample,
)
from dispatchcount.rules.core.group import Group

R = TypeVar("R", bound=ReportData)

MAX_OUTPUTS = 8
"""Distinct shapes of results that a path names."""

OTHER = "…"
"""Stands for further ones."""


def merge(reports: Sequence[ReportData], *, make: Callable[..., R]) -> R:
    """Many runs or ranks as one report of the class `make`; see `dispatchcount.Report.merge`."""
    if not reports:
        raise ValueError("there is no report to merge")
    conventions = {report.convention for report in reports}
    if len(conventions) > 1:
        raise ValueError(
            f"the reports follow different conventions ({', '.join(sorted(conventions))}); "
            "use with_convention() first"
        )
    merger = _Merger()
    for report in reports:
        merger.add(report)
    return merger.result(reports, make)


Key = tuple[int, str, str, str, str, str, int | None, int | None, bool]
"""What entries share that become one: path, operator, phase, dtype, status, function, group, issuer
and control, with the indices of the merged report."""


class _Calls:
    """The calls of several reports that become one path."""

    __slots__ = ("calls", "index", "outputs", "path")

    def __init__(self, index: int, path: Path) -> None:
        self.index = index
        self.path = path
        self.calls = path.calls
        self.outputs = path.outputs

    def add(self, path: Path) -> None:
        """Add those of one more report."""
        self.calls += path.calls
        if path.outputs != self.outputs:
            outputs = tuple(dict.fromkeys(self.outputs + path.outputs))
            if len(outputs) > MAX_OUTPUTS + 1:
                outputs = (*outputs[:MAX_OUTPUTS], OTHER)
            self.outputs = outputs

    def whole(self) -> Path:
        """The path of all of them."""
        return replace(self.path, calls=self.calls, outputs=self.outputs)


class _Merger:
    def __init__(self) -> None:
        self.modules: dict[str, tuple[int, Module]] = {}
        self.paths: dict[tuple[int, int, str], _Calls] = {}
        self.entries: dict[Key, list[Entry]] = {}
        self.groups: dict[Group, int] = {}
        self.issues: dict[tuple[str, str], OpIssue] = {}
        self.samples: list[Sample] = []
        self.profiles: list[tuple[ModuleCost, ...]] = []
        self.memory: dict[int, ModuleMemory] = {}

    def add(self, report: ReportData) -> None:
        modules = [self._module(report, module) for module in report.modules]
        paths: list[int] = []
        for path in report.paths:
            parent = paths[path.parent] if path.parent >= 0 else -1
            paths.append(self._path(path, parent, modules[path.module]))
        groups = [self.groups.setdefault(group, len(self.groups)) for group in report.groups]
        for entry in report.entries:
            key = (
                paths[entry.path],
                entry.op,
                entry.phase,
                entry.dtype,
                entry.status,
                entry.function,
                None if entry.group is None else groups[entry.group],
                None if entry.issuer is None else modules[entry.issuer],
                entry.control,
            )
            self.entries.setdefault(key, []).append(entry)
        for issue in report.issues:
            self._issue(issue)
        offset = len(self.profiles)
        self.samples += [
            replace(sample, profile=sample.profile + offset) for sample in report.samples
        ]
        self.profiles += [
            tuple(replace(row, module=modules[row.module]) for row in profile)
            for profile in report.profiles
        ]
        for row in report.memory.modules if report.memory else ():
            index = modules[row.module]
            before = self.memory.get(index, ModuleMemory(index))
            self.memory[index] = ModuleMemory(
                index,
                max(before.parameters, row.parameters),
                max(before.gradients, row.gradients),
                max(before.optimizer, row.optimizer),
                max(before.saved, row.saved),
            )

    def _module(self, report: ReportData, module: Module) -> int:
        if module.name not in self.modules:
            parent = (
                self.modules[report.modules[module.parent].name][0] if module.parent >= 0 else -1
            )
            self.modules[module.name] = (len(self.modules), replace(module, parent=parent))
        index, known = self.modules[module.name]
        if module.fused and not known.fused:
            # A fused operator used it in one of the runs, so it did in all of them together.
            self.modules[module.name] = (index, replace(known, fused=True))
        return index

    def _path(self, path: Path, parent: int, module: int) -> int:
        signature = path.signature if parent >= 0 else ""  # there is one path outside
        key = (parent, module, signature)
        known = self.paths.get(key)
        if known is None:
            known = _Calls(len(self.paths), replace(path, parent=parent, module=module))
            self.paths[key] = known
        else:
            known.add(path)
        return known.index

    def _issue(self, issue: OpIssue) -> None:
        key = (issue.op, issue.status)
        before = self.issues.get(key)
        if before is not None:
            issue = replace(
                before,
                calls=before.calls + issue.calls,
                modules=tuple(dict.fromkeys(before.modules + issue.modules)),
                shapes=tuple(dict.fromkeys(before.shapes + issue.shapes))[:8],
                nbytes=before.nbytes + issue.nbytes,
            )
        self.issues[key] = issue

    def result(self, reports: Sequence[ReportData], make: Callable[..., R]) -> R:
        first = reports[0]
        metas = [report.meta for report in reports]
        stopped = next((meta for meta in metas if meta.stopped_in is not None), first.meta)
        meta = replace(
            first.meta,
            created=max(meta.created for meta in metas),
            devices=tuple(dict.fromkeys(d for meta in metas for d in meta.devices)),
            dtypes=tuple(dict.fromkeys(d for meta in metas for d in meta.dtypes)),
            stopped_in=stopped.stopped_in,
            error=stopped.error,
            labels=tuple(
                label for label in first.meta.labels if all(label in meta.labels for meta in metas)
            ),
            notes=tuple(dict.fromkeys(note for meta in metas for note in meta.notes)),
        )
        peaks = [report.memory for report in reports if report.memory]
        peak = max(peaks, key=lambda memory: memory.peak) if peaks else None
        return make(
            meta=meta,
            convention=first.convention,
            modules=tuple(module for _, module in self.modules.values()),
            paths=tuple(path.whole() for path in self.paths.values()),
            entries=tuple(_together(key, alike) for key, alike in self.entries.items()),
            issues=tuple(self.issues.values()),
            samples=tuple(self.samples),
            profiles=tuple(self.profiles),
            memory=peak
            and Memory(tuple(self.memory.values()), peak.peak, peak.peak_module, peak.peak_op),
            groups=tuple(self.groups),
        )


def _together(key: Key, entries: list[Entry]) -> Entry:
    """Entries of several reports as one."""
    path, op, phase, dtype, status, function, group, issuer, control = key
    costs = Counter(entry.cost for entry in entries)  # ranks mostly do the same
    return Entry(
        path,
        op,
        phase,
        dtype,
        status,
        function,
        sum(entry.calls for entry in entries),
        reduce(add, (cost * times for cost, times in costs.items())),
        sum(entry.time_ns for entry in entries),
        group,
        issuer,
        control,
    )

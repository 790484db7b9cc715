"""A report as the JSON object that `schema.json` describes: first figures to read, then the record to rebuild it from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from dispatchcount.report.checked import number, numbers
from dispatchcount.report.metrics import KEYS, Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import MEMORY_KINDS, Memory, Meta, Module
from dispatchcount.report.samples import Distribution
from dispatchcount.report.views import module_params, self_and_total
from dispatchcount.rules.core.cost import COUNTS, Cost

SCHEMA = "dispatchcount.report"
VERSION = 1


def to_object(report: ReportData) -> dict[str, Any]:
    """The report as nested dicts and lists; see `schema.json`."""
    strings = _Strings()
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "meta": _meta(report.meta),
        "convention": {"name": report.convention, "unit": report.flop_definition.unit},
        "total": figures(report.total),
        "phases": {name: figures(row) for name, row in report.by_phase().items()},
        "dtypes": {name: figures(row) for name, row in report.by_dtype().items()},
        "operators": _operators(report),
        "unknown_ops": list(report.unknown_ops),
        "failed_ops": list(report.failed_ops),
        "uncalled_modules": list(report.uncalled_modules),
        "issues": [
            asdict(issue) | {"calls": number(issue.calls), "nbytes": number(issue.nbytes)}
            for issue in report.issues
        ],
        "samples": _samples(report),
        "memory": report.memory and _memory(report, report.memory),
        "modules": modules(report),
        "record": {
            "paths": {
                "parent": [path.parent if path.parent >= 0 else None for path in report.paths],
                "module": [path.module for path in report.paths],
                "signature": [strings.index(path.signature) for path in report.paths],
                "calls": numbers([path.calls for path in report.paths]),
            },
            "entries": _entries(report, strings),
            "profiles": [
                {
                    "module": [row.module for row in profile],
                    "calls": numbers([row.calls for row in profile]),
                }
                | _costs(row.cost for row in profile)
                for profile in report.profiles
            ],
            "sample_profiles": [sample.profile for sample in report.samples],
            "strings": strings.values,
        },
    }


def modules(report: ReportData) -> list[dict[str, Any]]:
    """A JSON object for each row of `Report.modules`: what it is, its total figures and, under ``"self"``, its own."""
    own, total = self_and_total(report)
    for path in report.paths:
        own[path.module].calls += path.calls
        total[path.module].calls += path.calls
    params = module_params(report)
    rows = []
    for index, module in enumerate(report.modules):
        self_ = own[index].stats(report.flop_definition, params=module.params)
        row = _module(module) | figures(
            total[index].stats(report.flop_definition, params=params[index])
        )
        rows.append(row | {"self": figures(self_)})
    return rows


def figures(stats: Stats) -> dict[str, Any]:
    """A row of figures as a JSON object, counts beyond 63 bits as strings."""
    return {metric: number(getattr(stats, metric)) for metric in KEYS} | {
        "estimate": stats.estimate,
        "estimate_elementwise": stats.estimate_elementwise,
    }


def _meta(meta: Meta) -> dict[str, Any]:
    return asdict(meta) | {"labels": dict(meta.labels)}


def _module(module: Module) -> dict[str, Any]:
    return {
        "name": module.name,
        "type": module.type,
        "parent": module.parent if module.parent >= 0 else None,
        "extra": module.extra,
        "aliases": module.aliases,
        "container": module.container,
        "fused": module.fused,
        "parameters": [
            asdict(p) | {"shape": numbers(list(p.shape)), "numel": number(p.numel)}
            for p in module.parameters
        ],
    }


def _operators(report: ReportData) -> list[dict[str, Any]]:
    statuses: dict[str, dict[str, None]] = {}
    for entry in report.entries:
        statuses.setdefault(entry.op, {})[entry.status] = None
    return [
        {"op": op, "statuses": list(statuses[op])} | figures(row)
        for op, row in report.by_operator().items()
    ]


def _samples(report: ReportData) -> dict[str, Any] | None:
    if not report.samples:
        return None
    return {
        "count": len(report.samples),
        "flops": distribution(report.distribution()),
        "modules": [
            {
                "name": name,
                "execution_rate": row.execution_rate,
                "calls_per_sample": row.calls_per_sample,
            }
            | {"flops": distribution(row.flops)}
            for name, row in report.by_module_over_samples().items()
        ],
        "labels": [sample.label for sample in report.samples],
        "sample_flops": numbers(report.sample_flops()),
    }


def distribution(row: Distribution) -> dict[str, Any]:
    """A distribution as a JSON object."""
    return {key: number(value) for key, value in asdict(row).items()}


def _memory(report: ReportData, memory: Memory) -> dict[str, Any]:
    rows = []
    for row in memory.modules:
        held = {kind: number(getattr(row, kind)) for kind in MEMORY_KINDS}
        rows.append({"module": row.module, "name": report.modules[row.module].name} | held)
    return {
        "peak": number(memory.peak),
        "peak_module": memory.peak_module,
        "peak_op": memory.peak_op,
        "modules": rows,
    }


def _entries(report: ReportData, strings: _Strings) -> dict[str, Any]:
    entries = report.entries
    texts = {
        key: [strings.index(getattr(e, key)) for e in entries]
        for key in ("op", "phase", "dtype", "status", "function")
    }
    return (
        {"path": [e.path for e in entries]}
        | texts
        | {
            "calls": numbers([e.calls for e in entries]),
            "time_ns": numbers([e.time_ns for e in entries]),
        }
        | _costs(e.cost for e in entries)
    )


def _costs(costs: Iterable[Cost]) -> dict[str, Any]:
    rows = list(costs)
    return {key: numbers([getattr(c, key) for c in rows]) for key in COUNTS} | {
        "estimate": [c.estimate for c in rows]
    }


class _Strings:
    """Texts that recur, each kept once and named by its index."""

    def __init__(self) -> None:
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        return self._indices.setdefault(text, len(self._indices))

    @property
    def values(self) -> list[str]:
        return list(self._indices)


def encodable(value: Any, text: Callable[[str], str]) -> Any:
    """The same nested value with `text` applied to every string in it, and integers as the file holds them."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return number(value)
    if isinstance(value, dict):
        return {text(key): encodable(item, text) for key, item in value.items()}
    return [encodable(item, text) for item in value] if isinstance(value, list | tuple) else value

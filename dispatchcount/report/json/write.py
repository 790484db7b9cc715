"""From a report to the JSON object of its file: figures to read, and the record to load it from."""

from __future__ import annotations

from typing import Any

from dispatchcount.report.by_module import module_elements, self_and_total
from dispatchcount.report.collection import no_collection
from dispatchcount.report.json.format import REPORT, SCHEMA, VERSION
from dispatchcount.report.json.module_format import MODULE
from dispatchcount.report.json.types import Strings
from dispatchcount.report.model import ReportData
from dispatchcount.report.parameter_totals import parameter_totals
from dispatchcount.report.shapes import inputs_by_module, outputs_by_module


@no_collection()
def to_object(report: ReportData) -> dict[str, Any]:
    """The report as nested dicts and lists, in the order of `format.py`."""
    strings = Strings()
    values = {
        "schema": SCHEMA,
        "version": VERSION,
        "meta": report.meta,
        "convention": report.flop_definition,
        "total": report.total,
        "batch": report.batch,
        "phases": report.by_phase(),
        "dtypes": report.by_dtype(),
        "operators": _operators(report),
        "unknown_ops": report.unknown_ops,
        "failed_ops": report.failed_ops,
        "uncalled_modules": report.uncalled_modules,
        "issues": report.issues,
        "samples": _samples(report),
        "memory": _memory(report),
        "modules": _modules(report),
        "groups": report.groups,
        "collectives": _collectives(report),
        "record": {
            "paths": report.paths,
            "entries": report.entries,
            "profiles": report.profiles,
            "sample_profiles": [sample.profile for sample in report.samples],
            "strings": strings,  # last in its table, when the columns before it have named all
        },
    }
    return REPORT.write(values, strings)


def module_objects(report: ReportData) -> list[dict[str, Any]]:
    """A JSON object for each row of `report.modules`, as under ``"modules"`` in the file."""
    return MODULE.write_column(_modules(report), Strings())


def _modules(report: ReportData) -> list[dict[str, Any]]:
    """What each module is, its total figures and, under ``"self"``, its own."""
    own, total = self_and_total(report)
    elements = module_elements(report)
    parameters = parameter_totals(report)
    inputs, outputs = inputs_by_module(report), outputs_by_module(report)
    rows = []
    for index, module in enumerate(report.modules):
        figures = total[index].stats(report.flop_definition, elements=elements[index])
        self_ = own[index].stats(report.flop_definition, elements=module.elements)
        more = {
            "trainable": parameters[index].trainable,
            "param_bytes": parameters[index].param_bytes,
            "inputs": inputs[index],
            "outputs": list(outputs[index]),
            "local_params": parameters[index].local_params,
            "self": self_,
        }
        rows.append(_values(module) | _values(figures) | more)
    return rows


def _collectives(report: ReportData) -> list[dict[str, Any]]:
    index = {group: i for i, group in enumerate(report.groups)}
    return [
        _values(row) | {"group": index[row.group], "payload_of": row.payload_of}
        for row in report.by_collective()
    ]


def _operators(report: ReportData) -> list[dict[str, Any]]:
    statuses: dict[str, dict[str, None]] = {}  # a dict without values is a set that keeps its order
    for entry in report.entries:
        statuses.setdefault(entry.op, {})[entry.status] = None
    return [
        {"op": op, "statuses": statuses[op]} | _values(row)
        for op, row in report.by_operator().items()
    ]


def _samples(report: ReportData) -> dict[str, Any] | None:
    if not report.samples:
        return None
    return {
        "count": len(report.samples),
        "flops": report.distribution(),
        "modules": [
            {"name": name} | _values(row) for name, row in report.by_module_over_samples().items()
        ],
        "labels": [sample.label for sample in report.samples],
        "sample_flops": report.sample_flops(),
    }


def _memory(report: ReportData) -> dict[str, Any] | None:
    if report.memory is None:
        return None
    rows = [
        {"name": report.modules[row.module].name} | _values(row) for row in report.memory.modules
    ]
    return _values(report.memory) | {"modules": rows}


def _values(row: Any) -> dict[str, Any]:
    """The attributes of a row by name. `asdict` would make dicts of the rows inside it as well."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}

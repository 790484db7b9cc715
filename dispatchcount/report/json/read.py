"""From the JSON object of a file to a report.

The types in `format.py` check each value. This file reads the tables in the order in which they
point at each other, and checks what concerns several values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dispatchcount.report.json.format import CONVENTION, REPORT
from dispatchcount.report.json.indices import STRINGS
from dispatchcount.report.json.module_format import SAMPLES
from dispatchcount.report.json.record_format import RECORD
from dispatchcount.report.json.types import Known
from dispatchcount.report.json.value import JsonValue
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import NO_MODULE, Entry, Module, Path, Sample

R = TypeVar("R", bound=ReportData)


def from_object(top: JsonValue, make: Callable[..., R]) -> R:
    """The report, an object of the class `make`, in a JSON object of the newest version.

    Raises:
        ReportError: a value is missing or is not what the format asks for; the message says which.
    """
    record = top["record"]
    known: Known = {}

    # What other tables point at comes first: texts, modules, paths, groups, profiles.
    known[STRINGS] = RECORD["strings"].read(record, known)
    modules: tuple[Module, ...] = REPORT["modules"].read(top, known)
    _check_modules(top["modules"], modules)
    known["modules"] = modules
    paths: tuple[Path, ...] = RECORD["paths"].read(record, known)
    _check_paths(record["paths"], paths)
    known["record.paths"] = paths
    known["groups"] = groups = REPORT["groups"].read(top, known)
    known["record.profiles"] = profiles = RECORD["profiles"].read(record, known)

    entries: tuple[Entry, ...] = RECORD["entries"].read(record, known)
    _check_collectives(record["entries"], entries)

    return make(
        REPORT["meta"].read(top, known),
        CONVENTION["name"].read(top["convention"], known),
        modules,
        paths,
        entries,
        REPORT["issues"].read(top, known),
        _samples(top, known),
        profiles,
        REPORT["memory"].read(top, known),
        groups,
    )


def _check_modules(table: JsonValue, modules: tuple[Module, ...]) -> None:
    """The first row is that of work outside every module, and every name is there once."""
    if not modules or modules[0].name != NO_MODULE:
        table.fail(f"rows of modules, the first with the name {NO_MODULE}")
    names: set[str] = set()
    for row, module in enumerate(modules):
        if module.parent == 0:
            table.at(row)["parent"].fail(
                "null or an index from 1 up: the first row is that of work outside every module, "
                "which holds none"
            )
        if module.name in names:
            table.at(row)["name"].fail("a name that no module before it has")
        names.add(module.name)


def _check_paths(table: JsonValue, paths: tuple[Path, ...]) -> None:
    """The first path is that of work outside every module."""
    if not paths:
        table["parent"].fail("at least one path, that of work outside every module")
    if paths[0].module != 0:
        table["module"].fail("0 at first, for the first path is that of work outside every module")


def _check_collectives(table: JsonValue, entries: tuple[Entry, ...]) -> None:
    """An entry of a collective has a group and an issuer, and every other has neither."""
    for row, entry in enumerate(entries):
        if (entry.group is None) != (entry.issuer is None):
            table["issuer"].at(row).fail("null where the group is null, and nowhere else")


def _samples(top: JsonValue, known: Known) -> tuple[Sample, ...]:
    """The samples: a label and a profile for each."""
    profiles = RECORD["sample_profiles"].read(top["record"], known)
    samples = top["samples"]
    labels = () if samples.value is None else SAMPLES["labels"].read(samples, known)
    if len(labels) != len(profiles):
        expected = f"{len(labels)} values, one for each of samples.labels"
        top["record"]["sample_profiles"].fail(expected)
    return tuple(map(Sample, labels, profiles))

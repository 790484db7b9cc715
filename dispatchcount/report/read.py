"""From the JSON object that `schema.json` describes to a report. Every value is checked; the figures are worked out anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import starmap
from typing import TypeVar

from dispatchcount.report.checked import Node
from dispatchcount.report.conventions import CONVENTIONS
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import (
    FAILED,
    NO_MODULE,
    PHASES,
    STATUSES,
    UNKNOWN,
    UNSEEN,
    Entry,
    Memory,
    Meta,
    Module,
    ModuleCost,
    ModuleMemory,
    OpIssue,
    Parameter,
    Path,
    Sample,
)
from dispatchcount.rules.core.cost import COUNTS, Cost

LATEST = 8_640_000_000_000
"""The last second that JavaScript, which shows it, has a date for."""

R = TypeVar("R", bound=ReportData)


def from_object(top: Node, make: Callable[..., R]) -> R:
    """The report in a JSON object of the newest version, of the class `make`.

    Raises:
        ReportError: a value is missing or is not what the schema asks for; the message says which.
    """
    record = top["record"]
    strings = record["strings"].texts()
    modules = _modules(top["modules"])
    paths = _paths(record["paths"], strings, len(modules))
    profiles = tuple(_profile(node, len(modules)) for node in record["profiles"].items())
    return make(
        _meta(top["meta"]),
        top["convention"]["name"].one_of(tuple(CONVENTIONS)),
        modules,
        paths,
        _entries(record["entries"], strings, len(paths)),
        tuple(_issue(node) for node in top["issues"].items()),
        _samples(top, len(profiles)),
        profiles,
        top["memory"].optional(lambda node: _memory(node, len(modules))),
    )


def _meta(node: Node) -> Meta:
    labels = node["labels"]
    if type(labels.value) is not dict:
        labels.fail("an object")
    return Meta(
        node["torch"].text(),
        node["python"].text(),
        node["dispatchcount"].text(),
        node["created"].count(LATEST),
        node["devices"].texts(),
        node["dtypes"].texts(),
        node["model"].text(),
        node["training"].optional(Node.flag),
        node["stopped_in"].optional(Node.text),
        node["error"].optional(Node.text),
        tuple((key, labels[key].text()) for key in labels.value),
        node["notes"].texts(),
    )


def _modules(table: Node) -> tuple[Module, ...]:
    """The modules: first the row of work outside every module, then each under a name of its own and after its parent."""
    modules = tuple(_module(node, i) for i, node in enumerate(table.items()))
    if not modules or modules[0].name != NO_MODULE:
        table.fail(f"rows of modules, the first with the name {NO_MODULE}")
    names: set[str] = set()
    for index, module in enumerate(modules):
        if module.name in names:
            table.at(index)["name"].fail("a name that no module before it has")
        names.add(module.name)
    return modules


def _module(node: Node, index: int) -> Module:
    parent = node["parent"].optional(lambda value: value.index(index, "earlier modules"))
    if parent == 0:
        node["parent"].fail(
            "null or an index from 1 up: the first row is that of work outside every module, which holds none"
        )
    return Module(
        node["name"].text(),
        node["type"].text(),
        -1 if parent is None else parent,
        node["extra"].text(),
        node["aliases"].texts(),
        tuple(_parameter(item) for item in node["parameters"].items()),
        node["container"].flag(),
        "fused" in node.value and node["fused"].flag(),  # files of 0.1 lack it
    )


def _parameter(node: Node) -> Parameter:
    return Parameter(
        node["name"].text(),
        tuple(node["shape"].counts()),
        node["numel"].count(),
        node["dtype"].text(),
        node["trainable"].flag(),
        node["tied_to"].optional(Node.text),
    )


def _issue(node: Node) -> OpIssue:
    return OpIssue(
        node["op"].text(),
        node["status"].one_of((UNKNOWN, FAILED, UNSEEN)),
        node["calls"].count(),
        node["modules"].texts(),
        node["shapes"].texts(),
        node["message"].text(),
        node["nbytes"].count(),
    )


def _samples(top: Node, profiles: int) -> tuple[Sample, ...]:
    column = top["record"]["sample_profiles"]
    indices = column.indices(profiles, "record.profiles")
    labels = top["samples"].optional(lambda node: node["labels"].texts()) or ()
    if len(labels) != len(indices):
        column.fail(f"{len(labels)} values, one for each of samples.labels")
    return tuple(map(Sample, labels, indices))


def _memory(node: Node, modules: int) -> Memory:
    rows = tuple(
        ModuleMemory(
            row["module"].index(modules, "modules"),
            row["parameters"].count(),
            row["gradients"].count(),
            row["optimizer"].count(),
            row["saved"].count(),
        )
        for row in node["modules"].items()
    )
    return Memory(rows, node["peak"].count(), node["peak_module"].text(), node["peak_op"].text())


def _paths(table: Node, strings: tuple[str, ...], modules: int) -> tuple[Path, ...]:
    parents = [
        -1 if not i and node.value is None else node.index(i, "earlier paths")
        for i, node in enumerate(table["parent"].items())
    ]  # fmt: skip
    if not parents:
        table["parent"].fail("at least one path, that of work outside every module")
    module = table["module"].indices(modules, "modules")
    if module[:1] != [0]:
        table["module"].fail("0 at first, for the first path is that of work outside every module")
    signature = _texts(table["signature"], strings)
    calls = table["calls"].counts()
    _same_length(table, len(parents), ("parent", "module", "signature", "calls"))
    return tuple(map(Path, parents, module, signature, calls))


def _entries(table: Node, strings: tuple[str, ...], paths: int) -> tuple[Entry, ...]:
    path = table["path"].indices(paths, "record.paths")
    columns = (
        _texts(table["op"], strings),
        _texts(table["phase"], strings, PHASES),
        _texts(table["dtype"], strings),
        _texts(table["status"], strings, STATUSES),
        _texts(table["function"], strings),
        table["calls"].counts(),
        _costs(table),
        table["time_ns"].counts(),
    )
    _same_length(
        table,
        len(path),
        (
            "path",
            "op",
            "phase",
            "dtype",
            "status",
            "function",
            "calls",
            "time_ns",
            *COUNTS,
            "estimate",
        ),
    )
    return tuple(map(Entry, path, *columns))


def _profile(table: Node, modules: int) -> tuple[ModuleCost, ...]:
    module = table["module"].indices(modules, "modules")
    calls, costs = table["calls"].counts(), _costs(table)
    _same_length(table, len(module), ("module", "calls", *COUNTS, "estimate"))
    return tuple(map(ModuleCost, module, calls, costs))


def _costs(table: Node) -> list[Cost]:
    def column(key: str) -> Iterable[int | None]:
        node = table[key]
        return node.counts_or_none() if key.startswith("bytes_") else node.counts()

    return list(
        starmap(
            Cost, zip(*(column(key) for key in COUNTS), table["estimate"].flags(), strict=False)
        )
    )


def _texts(
    column: Node, strings: tuple[str, ...], allowed: tuple[str, ...] | None = None
) -> list[str]:
    """A column of indices into `strings` as the texts themselves, all of them `allowed`."""
    indices = column.indices(len(strings), "record.strings")
    for index in set(indices) if allowed else ():
        Node(strings[index], column.source, f"record.strings[{index}]").one_of(allowed or ())
    return [strings[index] for index in indices]


def _same_length(table: Node, length: int, keys: tuple[str, ...]) -> None:
    for key in keys:
        if len(table[key].value) != length:
            table[key].fail(f"{length} values, as many as in {table.place}.{keys[0]}")

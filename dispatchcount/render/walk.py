"""The run as nested calls, in the order in which modules were first called: what both trace formats are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatchcount.render.plain import ROOT, tail
from dispatchcount.report.rows import Entry

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that a trace can be as wide as: its unit, and what it is of one entry."""

    name: str
    unit: str
    of: Callable[[ReportData, Entry], int]


def _flops(report: ReportData, entry: Entry) -> int:
    cost = entry.cost
    return report.flop_definition.flops(
        cost.macs, cost.fvcore, cost.arithmetic, cost.transcendentals
    )


METRICS = {
    metric.name: metric
    for metric in (
        Metric("flops", "flops", _flops),
        Metric("macs", "MACs", lambda _, entry: entry.cost.macs),
        Metric("arithmetic", "operations", lambda _, entry: entry.cost.arithmetic),
        Metric("transcendentals", "operations", lambda _, entry: entry.cost.transcendentals),
        Metric("activations", "elements", lambda _, entry: entry.cost.activations),
        Metric(
            "bytes",
            "bytes",
            lambda _, entry: (entry.cost.bytes_read or 0) + (entry.cost.bytes_written or 0),
        ),
        Metric("time_ns", "nanoseconds", lambda _, entry: entry.time_ns),
    )
}
"""Parameters are not among them: they belong to modules, whatever is called."""


def walk(report: ReportData) -> Iterator[tuple[int, list[Entry], bool]]:
    """Paths depth first: ``(path, its own entries, True)`` on the way in, ``(path, [], False)`` on the way out.

    Callees come in the order of `Report.paths`, that of their first call, after what the caller did itself.
    """
    children: list[list[int]] = [[] for _ in report.paths]
    tops: list[int] = []
    for index, path in enumerate(report.paths):
        (tops if path.parent < 0 else children[path.parent]).append(index)
    own: list[list[Entry]] = [[] for _ in report.paths]
    for entry in report.entries:
        own[entry.path].append(entry)
    waiting = [(top, True) for top in reversed(tops)]
    while waiting:  # a stack of our own: modules nest deeper than Python's calls may
        path_, entering = waiting.pop()
        yield path_, own[path_] if entering else [], entering
        if entering:
            waiting.append((path_, False))
            waiting += [(child, True) for child in reversed(children[path_])]


def title(report: ReportData, path: int) -> str:
    """A path's module as a trace shows it: name, or the end of a very long one, and class."""
    module = report.modules[report.paths[path].module]
    return f"{tail(module.name) or ROOT} {module.type}".rstrip()


def run_name(report: ReportData) -> str:
    """What a trace is called: the class of what ran, and the labels."""
    labels = ", ".join(f"{key}={value}" for key, value in report.meta.labels)
    return " ".join(
        part for part in (report.meta.model or "profiled block", labels and f"({labels})") if part
    )

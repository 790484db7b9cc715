"""The run as nested calls, in the order of first calls: what both kinds of trace are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dispatchcount.render.plain import ROOT, tail
from dispatchcount.report.tree import children, depth_first

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

    Name = Callable[[ReportData, int], str]
    """What a trace calls the module of a path."""


def nested_calls(report: ReportData) -> Iterator[tuple[int, list[int], bool]]:
    """Visit the paths depth first.

    Callees come in the order of `Report.paths`, that of their first call, after what the caller did
    itself.

    Yields:
        ``(path, entries, True)`` on the way into a path, with the indices of the path's own
        entries, and ``(path, [], False)`` on the way out.
    """
    own: list[list[int]] = [[] for _ in report.paths]
    for index, entry in enumerate(report.entries):
        own[entry.path].append(index)
    for path, entering in depth_first(children(report.paths)):
        yield path, own[path] if entering else [], entering


def title(report: ReportData, path: int) -> str:
    """A path's module as a trace shows it: name, or the end of a very long one, and class."""
    module = report.modules[report.paths[path].module]
    return f"{tail(module.name) or ROOT} {module.type}".rstrip()


def type_title(report: ReportData, path: int) -> str:
    """A path's module by its type alone, so that equal layers have one name."""
    module = report.modules[report.paths[path].module]
    return module.type or title(report, path)


def run_name(report: ReportData) -> str:
    """What a trace is called: the class of what ran, and the labels."""
    labels = ", ".join(f"{key}={value}" for key, value in report.meta.labels)
    return " ".join(
        part for part in (report.meta.model or "profiled block", labels and f"({labels})") if part
    )

"""speedscope's format, a profile a metric: https://www.speedscope.app/file-format-schema.json."""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.traces.nested_calls import nested_calls, run_name, title
from dispatchcount.report.metrics import SPENT, Metric, Stats
from dispatchcount.report.views import by_entry

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = ("bytes", "nanoseconds")
"""Units of ours that the format knows, by the same names."""


def to_speedscope(report: ReportData, path: str | PathLike[str] | None = None) -> bytes:
    """The run as nested modules with the operators in them; written to `path` as well, if given.

    Modules and operators open and close at exact integers of the metric. The format's other form
    has a stack of modules for each operator, which of a model 20,000 levels deep would be a
    gigabyte. A metric of which nothing was counted has no profile; flops always have one.

    Raises:
        OSError: `path` cannot be written.
    """
    # Every module has a frame, whatever its name: the ends of two long names may be the same.
    modules: dict[int, str] = {}
    for index, path_ in enumerate(report.paths):
        modules.setdefault(path_.module, title(report, index))
    operators = list(dict.fromkeys(entry.op for entry in report.entries))
    keys: list[int | str] = [*modules, *operators]
    frames = {key: frame for frame, key in enumerate(keys)}
    figures = by_entry(report)
    profiles = [_profile(report, metric, figures, frames) for metric in SPENT.values()]
    whole = {
        "$schema": _SCHEMA,
        "name": run_name(report),
        "exporter": f"dispatchcount {report.meta.dispatchcount}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in (*modules.values(), *operators)]},
        "profiles": [
            profile
            for metric, profile in zip(SPENT, profiles, strict=True)
            if profile["endValue"] or metric == "flops"
        ],
    }
    data = json.dumps(whole, separators=(",", ":")).encode()
    if path is not None:
        write(path, data)
    return data


def _profile(
    report: ReportData, metric: Metric, figures: list[Stats], frames: dict[int | str, int]
) -> dict[str, Any]:
    """The profile of one metric.

    Args:
        report: the report.
        metric: what the profile is as wide as.
        figures: those of each entry.
        frames: the frame of each module, by its index, and of each operator, by its name.
    """
    events = _Events()
    for path, entries, entering in nested_calls(report):
        if entering:
            events.enter(frames[report.paths[path].module])
            for entry in entries:
                operator = frames[report.entries[entry].op]
                events.spend(operator, metric.value(figures[entry]))
        if entering == (path == 0):  # outside every module ends before the modules begin
            events.leave()
    return {
        "type": "evented",
        "name": f"{metric.key} ({report.convention}: {report.flop_definition.unit})"
        if metric.key == "flops"
        else metric.key,
        "unit": metric.unit if metric.unit in _UNITS else "none",
        "startValue": 0,
        "endValue": events.at,
        "events": events.noted,
    }


class _Events:
    """Frames that open and close as a metric adds up. One in which nothing is spent is not noted.

    Attributes:
        noted: what opened and closed, in order.
        at: how much was spent so far.
    """

    def __init__(self) -> None:
        self.noted: list[dict[str, Any]] = []
        self.at = 0
        self._stack: list[int] = []
        self._opened = 0  # how many frames of the stack, from the outermost, are noted

    def enter(self, frame: int) -> None:
        """A module's call begins."""
        self._stack.append(frame)

    def spend(self, operator: int, weight: int) -> None:
        """An operator runs in the innermost call."""
        if not weight:
            return
        for frame in self._stack[self._opened :]:
            self._note("O", frame)
        self._opened = len(self._stack)
        self._note("O", operator)
        self.at += weight
        self._note("C", operator)

    def leave(self) -> None:
        """The innermost call ends."""
        frame = self._stack.pop()
        if self._opened > len(self._stack):
            self._opened -= 1
            self._note("C", frame)

    def _note(self, kind: str, frame: int) -> None:
        self.noted.append({"type": kind, "frame": frame, "at": self.at})

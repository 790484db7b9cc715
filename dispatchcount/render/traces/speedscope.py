"""speedscope's format: https://www.speedscope.app/file-format-schema.json.

Each metric has two profiles. In the first a module has a frame of its own; in the second all
modules of a type share one, so that speedscope's sums over frames are sums over layers.
"""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.traces.nested_calls import nested_calls, run_name, title, type_title
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
    types = [type_title(report, index) for index in range(len(report.paths))]
    frames = _Frames()
    own = {module: frames.add(name) for module, name in modules.items()}
    by_module = [own[path_.module] for path_ in report.paths]
    by_type = list(map(frames.of, types))
    by_operator = [frames.of(entry.op) for entry in report.entries]
    figures = by_entry(report)
    profiles = [
        profile
        for metric in SPENT.values()
        for by, frame_of in (("", by_module), (" by type of module", by_type))
        if (profile := _profile(report, metric, by, figures, frame_of, by_operator))["endValue"]
        or metric.key == "flops"
    ]
    whole = {
        "$schema": _SCHEMA,
        "name": run_name(report),
        "exporter": f"dispatchcount {report.meta.dispatchcount}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in frames.names]},
        "profiles": profiles,
    }
    data = json.dumps(whole, separators=(",", ":")).encode()
    if path is not None:
        write(path, data)
    return data


class _Frames:
    """The frames of a file, in the order in which they were added.

    Attributes:
        names: what each is called.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._shared: dict[str, int] = {}

    def add(self, name: str) -> int:
        """A new frame, even if there is another of that name."""
        self.names.append(name)
        return len(self.names) - 1

    def of(self, name: str) -> int:
        """The frame that everything of that name shares."""
        if name not in self._shared:
            self._shared[name] = self.add(name)
        return self._shared[name]


def _profile(
    report: ReportData,
    metric: Metric,
    by: str,
    figures: list[Stats],
    frame_of: list[int],
    operators: list[int],
) -> dict[str, Any]:
    """One profile.

    Args:
        report: the report.
        metric: what the profile is as wide as.
        by: what stands after the metric in its name.
        figures: those of each entry.
        frame_of: the frame of each path.
        operators: the frame of each entry's operator.
    """
    events = _Events()
    for path, entries, entering in nested_calls(report):
        if entering:
            events.enter(frame_of[path])
            for entry in entries:
                events.spend(operators[entry], metric.value(figures[entry]))
        if entering == (path == 0):  # outside every module ends before the modules begin
            events.leave()
    # speedscope writes the units of bytes and times beside each weight. All others, which it does
    # not know, stand in the profile's name.
    known = metric.unit in _UNITS
    if metric.key == "flops":
        note = f" ({report.convention}: {report.flop_definition.unit})"
    else:
        note = "" if known else f" (in {metric.unit})"
    return {
        "type": "evented",
        "name": f"{metric.key}{by}{note}",
        "unit": metric.unit if known else "none",
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

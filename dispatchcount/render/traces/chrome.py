"""Chrome trace events, which Perfetto and chrome://tracing open: modules as nested slices.

One track names each module, the other only its type, so that what equal layers did adds up there.

The format is that of the "Trace Event Format" document: complete events (``X``), counters (``C``)
and metadata (``M``).
"""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.traces.nested_calls import nested_calls, run_name, title, type_title
from dispatchcount.report.metrics import SPENT
from dispatchcount.report.views import by_entry

if TYPE_CHECKING:
    from dispatchcount.render.traces.nested_calls import Name
    from dispatchcount.report.model import ReportData

_LONGEST = 3_600_000_000
"""Microseconds in an hour. A viewer writes a longer axis in days, so a trace that would be longer
counts in tens, hundreds … of a unit.
"""

_COUNTED = ("macs", "activations", "bytes")


def to_chrome_trace(
    report: ReportData, path: str | PathLike[str] | None = None, metric: str = "flops"
) -> bytes:
    """The run with a microsecond for each unit of a metric, or for each ten, hundred … of it.

    Slices are module calls of one stack and, inside them, operators; ``args`` has their exact
    figures. What has nothing of the metric would have no width and is left out. Two tracks hold the
    same slices: in the first a module has its name, in the second that of its type, so that a
    viewer's sums by name are sums by type. Counters show how MACs, activations and bytes add up
    along the way; there are no more of them than slices.

    Args:
        report: the report.
        path: where to write the trace to, if anywhere.
        metric: one of `SPENT`.

    Raises:
        ValueError: `metric` cannot be a width.
        OSError: `path` cannot be written.
    """
    if metric not in SPENT:
        raise ValueError(
            f"metric {metric!r} cannot be the width of a trace; it is one of {', '.join(SPENT)}"
        )
    trace = _Trace(report, metric)
    whole: dict[str, Any] = {
        "traceEvents": trace.events(),
        "displayTimeUnit": "ns",
        "otherData": {
            "metric": metric,
            "unit": f"1 µs = {trace.scale:,} {SPENT[metric].unit}",
            "convention": f"{report.convention}: {report.flop_definition.unit}",
            "exporter": f"dispatchcount {report.meta.dispatchcount}",
        },
    }
    data = json.dumps(whole, separators=(",", ":")).encode()
    if path is not None:
        write(path, data)
    return data


class _Trace:
    def __init__(self, report: ReportData, metric: str) -> None:
        self.report = report
        self.metric = SPENT[metric]
        self.scale = 1
        self.figures = by_entry(report)
        whole = sum(map(self.metric.value, self.figures))
        while whole // self.scale > _LONGEST:
            self.scale *= 10

    def events(self) -> list[dict[str, Any]]:
        wide = f"as wide as their {self.metric.key}"
        named = self._slices(1, title)
        names = [
            ("process_name", 1, run_name(self.report)),
            ("thread_name", 1, f"modules, {wide}"),
            ("thread_name", 2, f"types of modules, {wide}"),
        ]
        return [
            *(
                {"ph": "M", "name": kind, "pid": 1, "tid": thread, "args": {"name": name}}
                for kind, thread, name in names
            ),
            *named,
            *self._slices(2, type_title),
            *self._counters(len(named)),
        ]

    def _slices(self, thread: int, name: Name) -> list[dict[str, Any]]:
        """The slices of one track, a caller before what it called."""
        events: list[dict[str, Any]] = []
        at = 0
        opened: list[tuple[int, int]] = []  # start of each open module, its place among the events
        for path, entries, entering in nested_calls(self.report):
            if entering:
                opened.append((at, len(events)))
                events.append({})
                for entry in entries:
                    width = self.metric.value(self.figures[entry])
                    if width:
                        events.append(self._operator(entry, thread, at, at + width))
                    at += width
            if entering == (path == 0):  # outside every module ends before the modules begin
                start, place = opened[-1]
                if at > start:
                    args = self._module(path, at - start)
                    label = name(self.report, path)
                    events[place] = self._slice(label, "module", thread, start, at, args)
            if not entering:
                opened.pop()
        return [event for event in events if event]

    def _counters(self, most: int) -> list[dict[str, Any]]:
        """How much was counted by the end of each module's own work, at `most` as many events.

        Where there are more ends than that, some in the middle are left out.
        """
        at = 0
        sums = dict.fromkeys(_COUNTED, 0)
        points: list[tuple[int, dict[str, int]]] = []
        for _, entries, _ in nested_calls(self.report):
            for entry in entries:
                at += self.metric.value(self.figures[entry])
                for counter in _COUNTED:
                    sums[counter] += SPENT[counter].value(self.figures[entry])
            if entries:
                points.append((at, sums.copy()))
        if not points or most < len(_COUNTED):
            return []
        step = -(-len(points) // (most // len(_COUNTED)))
        kept = points[::-1][::step][::-1]  # from the last one back, for that is the total
        return [self._counter(name, at, so_far[name]) for at, so_far in kept for name in _COUNTED]

    def _slice(
        self, name: str, category: str, thread: int, start: int, end: int, args: dict[str, Any]
    ) -> dict[str, Any]:
        # Times are whole numbers, because some viewers find out by adding a length to a start if
        # one slice ends before another, and sums of fractions are not exact.
        start, end = start // self.scale, end // self.scale
        return {
            "ph": "X",
            "name": name,
            "cat": category,
            "ts": start,
            "dur": end - start,
            "pid": 1,
            "tid": thread,
            "args": args,
        }

    def _counter(self, name: str, at: int, value: int) -> dict[str, Any]:
        return {
            "ph": "C",
            "name": f"{name} so far",
            "ts": at // self.scale,
            "pid": 1,
            "tid": 1,
            "args": {name: value},
        }

    def _module(self, path: int, width: int) -> dict[str, Any]:
        row = self.report.paths[path]
        return {self.metric.key: width, "calls": row.calls, "inputs": row.signature}

    def _operator(self, index: int, thread: int, start: int, end: int) -> dict[str, Any]:
        entry, stats = self.report.entries[index], self.figures[index]
        args: dict[str, Any] = {key: metric.value(stats) for key, metric in SPENT.items()}
        args |= {
            "calls": entry.calls,
            "phase": entry.phase,
            "dtype": entry.dtype,
            "status": entry.status,
        }
        return self._slice(entry.op, "operator", thread, start, end, args)

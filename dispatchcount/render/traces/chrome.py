"""Chrome trace events, which Perfetto and chrome://tracing open: modules as nested slices.

The format is that of the "Trace Event Format" document: complete events (``X``), counters (``C``)
and metadata (``M``).
"""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.traces.nested_calls import nested_calls, run_name, title
from dispatchcount.report.metrics import SPENT
from dispatchcount.report.views import by_entry

if TYPE_CHECKING:
    from dispatchcount.report.model import ReportData

_LONGEST = 2**53
"""Times are doubles in the format: beyond it a trace counts in thousands, millions … of a unit."""

_COUNTED = ("macs", "activations", "bytes")


def to_chrome_trace(
    report: ReportData, path: str | PathLike[str] | None = None, metric: str = "flops"
) -> bytes:
    """The run with a microsecond for each unit of a metric.

    Slices are module calls of one stack and, inside them, operators; ``args`` has their exact
    figures. What has nothing of the metric would have no width and is left out. Counters show how
    MACs, activations and bytes add up along the way.

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
            "unit": f"1 µs = {trace.scale} {SPENT[metric].unit}",
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
            self.scale *= 1000

    def events(self) -> list[dict[str, Any]]:
        names = {
            "process_name": run_name(self.report),
            "thread_name": f"modules, as wide as their {self.metric.key}",
        }
        events: list[dict[str, Any]] = [
            {"ph": "M", "name": kind, "pid": 1, "tid": 1, "args": {"name": name}}
            for kind, name in names.items()
        ]
        at = 0
        sums = dict.fromkeys(_COUNTED, 0)
        opened: list[tuple[int, int]] = []  # start of each open module, its place among the events
        for path, entries, entering in nested_calls(self.report):
            if entering:
                opened.append((at, len(events)))
                events.append({})
                for entry in entries:
                    width = self.metric.value(self.figures[entry])
                    if width:
                        events.append(self._operator(entry, at, at + width))
                    at += width
                    for counter in _COUNTED:
                        sums[counter] += SPENT[counter].value(self.figures[entry])
                if entries:
                    events += [self._counter(counter, at, sums[counter]) for counter in _COUNTED]
            if entering == (path == 0):  # outside every module ends before the modules begin
                start, place = opened[-1]
                if at > start:
                    events[place] = self._slice(
                        title(self.report, path),
                        "module",
                        start,
                        at,
                        self._module(path, at - start),
                    )
            if not entering:
                opened.pop()
        return [event for event in events if event]

    def _slice(
        self, name: str, category: str, start: int, end: int, args: dict[str, Any]
    ) -> dict[str, Any]:
        start, end = start // self.scale, end // self.scale
        return {
            "ph": "X",
            "name": name,
            "cat": category,
            "ts": start,
            "dur": end - start,
            "pid": 1,
            "tid": 1,
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

    def _operator(self, index: int, start: int, end: int) -> dict[str, Any]:
        entry, stats = self.report.entries[index], self.figures[index]
        args: dict[str, Any] = {key: metric.value(stats) for key, metric in SPENT.items()}
        args |= {
            "calls": entry.calls,
            "phase": entry.phase,
            "dtype": entry.dtype,
            "status": entry.status,
        }
        return self._slice(entry.op, "operator", start, end, args)

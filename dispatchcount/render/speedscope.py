"""speedscope's file format, a profile for each metric: https://www.speedscope.app/file-format-schema.json."""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.walk import METRICS, run_name, title, walk
from dispatchcount.report.rows import Entry

if TYPE_CHECKING:
    from dispatchcount.report.model import Report

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"bytes": "bytes", "time_ns": "nanoseconds"}


def to_speedscope(report: Report, path: str | PathLike[str] | None = None) -> bytes:
    """The run as weighted stacks of modules with the operator on top; written to `path` as well, if given.

    Weights are exact integers. A metric of which nothing was counted has no profile, save for flops.

    Raises:
        OSError: `path` cannot be written.
    """
    frames: dict[str, int] = {}
    stacks = _stacks(report, frames)
    whole = {
        "$schema": _SCHEMA,
        "name": run_name(report),
        "exporter": f"dispatchcount {report.meta.dispatchcount}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": [
            profile for metric in METRICS if (profile := _profile(report, metric, stacks))["endValue"] or metric == "flops"
        ],
    }
    data = json.dumps(whole, separators=(",", ":")).encode()
    if path is not None:
        write(path, data)
    return data


def _stacks(report: Report, frames: dict[str, int]) -> list[tuple[list[int], Entry]]:
    """Every entry with the frames below it, outermost first, in the order of the run."""
    stacks: list[tuple[list[int], Entry]] = []
    stack: list[int] = []
    for path, entries, entering in walk(report):
        outside = path == 0  # its frame stands below its own operators alone, not below every module
        if entering:
            frame = frames.setdefault(title(report, path), len(frames))
            below = [frame] if outside else [*stack, frame]
            stacks += [([*below, frames.setdefault(entry.op, len(frames))], entry) for entry in entries]
            stack = stack if outside else below
        elif not outside:
            stack = stack[:-1]
    return stacks


def _profile(report: Report, name: str, stacks: list[tuple[list[int], Entry]]) -> dict[str, Any]:
    metric = METRICS[name]
    weighted = [(stack, weight) for stack, entry in stacks if (weight := metric.of(report, entry))]
    label = f"{name} ({report.convention}: {report.convention_.unit})" if name == "flops" else name
    return {
        "type": "sampled",
        "name": label,
        "unit": _UNITS.get(name, "none"),
        "startValue": 0,
        "endValue": sum(weight for _, weight in weighted),
        "samples": [stack for stack, _ in weighted],
        "weights": [weight for _, weight in weighted],
    }

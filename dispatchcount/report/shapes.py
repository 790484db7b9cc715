"""The shapes that modules were called with and returned, and how many samples a block ran."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from dispatchcount.report.report_rows import ReportRows

_FIRST_SIZE = re.compile(r"\((\d+)[,)]")
"""The first size of the first shape in the text of a call's inputs."""


def inputs_by_module(report: ReportRows) -> list[Counter[str]]:
    """For each module by index: the shapes of its inputs, and with how many calls each came."""
    found: list[Counter[str]] = [Counter() for _ in report.modules]
    for path in report.paths:
        if path.calls and _has_shape(path.signature):
            found[path.module][path.signature] += path.calls
    return found


def outputs_by_module(report: ReportRows) -> list[dict[str, None]]:
    """For each module by index: the distinct shapes that its calls returned, as keys in order."""
    found: list[dict[str, None]] = [{} for _ in report.modules]
    for path in report.paths:
        found[path.module] |= dict.fromkeys(path.outputs)
    return found


def _has_shape(text: str) -> bool:
    """True unless all inputs are of the kind that has no shape, which is written ``-``."""
    return bool(text.strip("-, "))


@dataclass(frozen=True, slots=True)
class Batch:
    """How many samples a block ran.

    Attributes:
        size: how many.
        source: where the number is from, to stand behind it in a sentence.
    """

    size: int
    source: str


def batch_of(report: ReportRows, given: int | None = None) -> Batch | None:
    """How many samples the block ran: as given, or the first size of the root's first input.

    Of several calls of the root it is the sum. The root is the first module that was called from
    outside all others.

    Args:
        report: the report.
        given: how many, if the caller knows.

    Returns:
        None where nobody says: nothing was called, or with an input that has no shape.

    Raises:
        ValueError: `given` is not a whole number from 1 up.
    """
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ValueError(
                f"batch={given!r} is no number of samples; give a whole number from 1 up"
            )
        return Batch(given, "as given")
    called = [path for path in report.paths if path.parent == 0 and path.module and path.calls]
    root = min((path.module for path in called), default=0)
    calls = [path for path in called if path.module == root]
    sizes = [_FIRST_SIZE.search(path.signature) for path in calls]
    whole = sum(int(size[1]) * path.calls for size, path in zip(sizes, calls, strict=True) if size)
    if not whole or None in sizes:
        return None
    times = sum(path.calls for path in calls)
    if times == 1:
        return Batch(whole, f"the first size of the input {calls[0].signature}")
    return Batch(whole, f"the first sizes of the inputs of {times:,} calls")

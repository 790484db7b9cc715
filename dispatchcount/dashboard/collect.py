"""Reads many reports from disk and keeps a few numbers of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dispatchcount.errors import ReportError, UsageError
from dispatchcount.report.metrics import CONDENSED

if TYPE_CHECKING:
    from dispatchcount.report_api import Report

METRICS = tuple(metric for metric in CONDENSED if not (metric.elementwise or metric.measured))
"""The metrics that a run's line shows, and that a trend can be drawn of."""


@dataclass(frozen=True, slots=True)
class Run:
    """One report of the dashboard.

    Attributes:
        file: its path below the folder.
        page: the name of its page.
        model: its label; if it has none, the class of the model that ran. A mode other than eval
            is added in brackets, for a training step does not belong on one line with evaluations.
        input: its label.
        commit: its label.
        labels: the other labels.
        created: seconds since 1970.
        values: its totals by `METRICS`.
        uncounted: names of the operators that could not be counted.
        stopped_in: the module in which the block stopped, if it did.
    """

    file: str
    page: str
    model: str
    input: str
    commit: str
    labels: tuple[tuple[str, str], ...]
    created: int
    values: dict[str, int]
    uncounted: tuple[str, ...]
    stopped_in: str | None


@dataclass(frozen=True, slots=True)
class Bad:
    """A file that does not hold a report, and the reason."""

    file: str
    error: str


def report_files(folder: Path) -> list[Path]:
    """Every ``.json`` file below `folder`, by name.

    Raises:
        dispatchcount.errors.UsageError: there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; give one that holds reports as JSON")
    found = sorted(path for path in folder.rglob("*.json") if path.is_file())
    if not found:
        raise UsageError(
            f"there is no .json file in {folder} or below; "
            "save reports there with report.to_json(path)"
        )
    return found


def collect(folder: Path, convention: str) -> Iterator[tuple[Run, Report] | Bad]:
    """Each report below `folder` under `convention`, one at a time, or why it cannot be read."""
    from dispatchcount.report_api import Report

    for path in report_files(folder):
        file = path.relative_to(folder).as_posix()
        try:
            report = Report.from_json(path).with_convention(convention)
        except ReportError as error:
            yield Bad(file, str(error).replace(str(path), file).removeprefix(f"{file}: "))
        else:
            yield summarize(report, file), report


def summarize(report: Report, file: str) -> Run:
    """The numbers of one report that the dashboard shows."""
    labels = dict(report.meta.labels)
    model = labels.pop("model", "") or report.meta.model or "(no model)"
    mode = labels.pop("mode", "eval")
    return Run(
        file=file,
        page=page_name(file),
        model=model if mode == "eval" else f"{model} ({mode})",
        input=labels.pop("input", ""),
        commit=labels.pop("commit", ""),
        labels=tuple(labels.items()),
        created=report.meta.created,
        values={metric.key: metric.value(report.total) for metric in METRICS},
        uncounted=tuple(issue.op for issue in report.issues),
        stopped_in=report.meta.stopped_in,
    )


def page_name(file: str) -> str:
    """A file name for a report's page, which differs for each file.

    It is safe in any file system and in any link.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", file.removesuffix(".json")).strip("._")[:80]
    digest = hashlib.sha256(file.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{safe}-{digest[:8]}.html"

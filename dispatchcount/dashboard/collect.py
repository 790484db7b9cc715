"""Reads many reports from disk and keeps a few numbers of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dispatchcount.errors import UsageError
from dispatchcount.report.metrics import CONDENSED, KNOWN_OF

if TYPE_CHECKING:
    from dispatchcount.report_api import Report

METRICS = tuple(
    metric
    for metric in CONDENSED
    if not (metric.elementwise or metric.measured or metric.key in KNOWN_OF)
)
"""The metrics that a run's line shows, and that a trend can be drawn of."""

COMMIT = "commit"
"""The label that tells the runs of one series apart."""

ALONG = ("device",)
"""Other labels that may differ within a series: counts are the same on all devices. The labels that
are neither tell series apart.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One report of the dashboard.

    Attributes:
        file: its path below the folder.
        page: the name of its page.
        model: its label; if it has none, the class of the model that ran, and its file, because two
            models may have one class.
        labelled: True if it has the label.
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
    labelled: bool
    input: str
    commit: str
    labels: tuple[tuple[str, str], ...]
    created: int
    values: dict[str, int]
    uncounted: tuple[str, ...]
    stopped_in: str | None

    def identity(self, along: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """What it must share with another run for both to be of one series.

        That is the model, the input and all other labels but the commit, `ALONG`, and `along`.
        """
        alike = {*ALONG, *along}
        apart = ((key, value) for key, value in self.labels if key not in alike)
        return (("model", self.model), ("input", self.input), *sorted(apart))


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


def summarize(report: Report, file: str) -> Run:
    """The numbers of one report that the dashboard shows."""
    labels = dict(report.labels)
    model = labels.pop("model", "")
    return Run(
        file=file,
        page=page_name(file),
        model=model or f"{report.meta.model or '(no model)'} in {file}",
        labelled=bool(model),
        input=labels.pop("input", ""),
        commit=labels.pop(COMMIT, ""),
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

"""Writes the dashboard's pages: ``index.html``, a page for each report, and one for each change.

The scripts of those pages are written once, beside them. A page whose reports are as they were when
the site was last made is left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatchcount.dashboard.collect import METRICS, Bad, Run, page_name, report_files, summarize
from dispatchcount.dashboard.manifest import NAME, Manifest, load, maker
from dispatchcount.dashboard.series import Budget, Series, in_series
from dispatchcount.errors import ReportError, UsageError
from dispatchcount.files import identity, write
from dispatchcount.render.html.figures import described, for_script
from dispatchcount.render.html.page import asset, diff_page, frame, page
from dispatchcount.report.conventions import find_convention

if TYPE_CHECKING:
    from dispatchcount.report_api import Report

SCRIPTS = ("report.js", "diff.js")
"""The files that the pages of all reports and changes load their scripts from."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a site shows.

    Attributes:
        series: the runs.
        bad: the files that could not be read.
        written: how many pages of reports and changes were written; others were up to date.
    """

    series: list[Series]
    bad: list[Bad]
    written: int

    @property
    def reports(self) -> int:
        """How many reports have a page."""
        return sum(len(series.runs) for series in self.series)


def build(
    folder: Path,
    site: Path,
    convention: str,
    along: Sequence[str] = (),
    budgets: Sequence[Budget] = (),
) -> Site:
    """Write the pages of all reports below `folder` to the folder `site`.

    Args:
        folder: where the reports are.
        site: where the pages go.
        convention: the convention of all figures.
        along: labels that differ between the runs of one series, beside the commit.
        budgets: what models may cost.

    Raises:
        dispatchcount.errors.UsageError: `folder` holds no readable report, `site` is a file, a page
            would be written over a report, or a budget is for no model. No page was written then.
        OSError: a page cannot be written.
    """
    if site.exists() and not site.is_dir():
        raise UsageError(f"{site} is a file; give a folder for the pages with -o")
    _refuse_to_overwrite(folder, site)
    builder = _Builder(folder, site, convention)
    builder.read()
    series = in_series(builder.runs(), along, budgets)
    builder.write_scripts()
    diffs = {run.file: name for one in series for run, name in builder.write_pages(one)}
    builder.finish()
    write(site / "index.html", index(series, builder.bad, diffs, convention))
    return Site(series, builder.bad, builder.written)


def _refuse_to_overwrite(folder: Path, site: Path) -> None:
    # The names of pages and reports end differently, so only a link can make them one file.
    reports = report_files(folder)
    read = {identity(path): path for path in reports}
    pages = [site / "reports" / page_name(path.relative_to(folder).as_posix()) for path in reports]
    own = [site / name for name in ("index.html", NAME, *SCRIPTS)]
    for written in (*own, *pages, *(site / "diffs").glob("*.html")):
        source = None if identity(written) is None else read.get(identity(written))
        if source is not None:
            raise UsageError(
                f"{written} would overwrite {source}, which is read; give another folder with -o"
            )


class _Builder:
    """Makes the pages of one site, those that are not up to date.

    Attributes:
        bad: the files that could not be read.
        written: how many pages were written.
    """

    def __init__(self, folder: Path, site: Path, convention: str) -> None:
        self.bad: list[Bad] = []
        self.written = 0
        self._folder, self._site, self._convention = folder, site, convention
        made_by = maker(map(asset, (*SCRIPTS, "report.css", "diff.css")), convention)
        self._before = load(site, made_by)
        self._now = Manifest(made_by)
        self._new: set[str] = set()
        # The report that was read last, by its file: a change is between neighbours.
        self._last: tuple[str, Report] | None = None

    def read(self) -> None:
        """Sum up each report, from the site if its file is as it was.

        Raises:
            dispatchcount.errors.UsageError: none can be read.
        """
        for path in report_files(self._folder):
            file = path.relative_to(self._folder).as_posix()
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                self.bad.append(Bad(file, f"it cannot be read: {error.strerror}"))
                continue
            run = self._before.known(file, digest, self._site / "reports" / page_name(file))
            if run is None:
                try:
                    run = summarize(self._report(file), file)
                except ReportError as error:
                    self.bad.append(
                        Bad(file, str(error).replace(str(path), file).removeprefix(f"{file}: "))
                    )
                    continue
                self._new.add(file)
            self._now.runs[file] = digest, run
        if not self._now.runs:
            raise UsageError(f"no file in {self._folder} is a report: {self.bad[0].error}")

    def runs(self) -> list[Run]:
        """All that was read."""
        return [run for _, run in self._now.runs.values()]

    def write_scripts(self) -> None:
        """Write what the pages of all reports and changes share."""
        for part in ("reports", "diffs"):
            (self._site / part).mkdir(parents=True, exist_ok=True)
        for script in SCRIPTS:
            write(self._site / script, asset(script))

    def write_pages(self, series: Series) -> list[tuple[Run, str]]:
        """Write the pages of a series that are missing or old: of its reports and their changes.

        A report's page is written beside the change that it belongs to, so that the report is read
        once for both. The page of a change is there for runs of equal figures too, because modules
        may have changed places.

        Returns:
            Each later run and the page of the change that led to it.
        """
        made = []
        before: Run | None = None
        for run in series.runs:
            if before is not None:
                made.append((run, self._write_diff(before, run)))
            if run.file in self._new:
                whole = page(self._report(run.file), script=f"../{SCRIPTS[0]}")
                self._write(f"reports/{run.page}", whole)
            before = run
        return made

    def _write_diff(self, old: Run, new: Run) -> str:
        """Write the page of a change unless it is up to date; returns its name."""
        name = page_name(f"{old.file}\0to\0{new.file}")  # no two pairs of files have one name
        digests = [self._now.runs[run.file][0] for run in (old, new)]
        there = (self._site / "diffs" / name).exists()
        if self._before.diffs.get(name) != digests or not there:
            change = self._report(old.file).diff(self._report(new.file))
            self._write(f"diffs/{name}", diff_page(change, script=f"../{SCRIPTS[1]}"))
        self._now.diffs[name] = digests
        return name

    def finish(self) -> None:
        """Remove pages of the former site that nothing leads to, and note what is there now."""
        stale = [
            *(
                f"reports/{run.page}"
                for file, (_, run) in self._before.runs.items()
                if file not in self._now.runs
            ),
            *(f"diffs/{name}" for name in self._before.diffs if name not in self._now.diffs),
        ]
        for name in stale:
            (self._site / name).unlink(missing_ok=True)
        self._now.save(self._site)

    def _report(self, file: str) -> Report:
        from dispatchcount.report_api import Report

        if self._last is None or self._last[0] != file:
            read = Report.from_json(self._folder / file).with_convention(self._convention)
            self._last = file, read
        return self._last[1]

    def _write(self, name: str, whole: str) -> None:
        write(self._site / name, whole)
        self.written += 1


def index(
    series: Sequence[Series], bad: Sequence[Bad], diffs: dict[str, str], convention: str
) -> str:
    """The first page.

    Args:
        series: the runs.
        bad: the files that could not be read.
        diffs: the name of the page of the change that led to a run, by the run's file.
        convention: the convention of all figures.
    """
    data: dict[str, Any] = {
        "convention": {"name": convention, "unit": find_convention(convention).unit},
        "metrics": [described(metric) for metric in METRICS],
        "series": [
            {
                "name": one.name,
                "model": one.model,
                "input": one.input,
                "labelled": one.runs[0].labelled,
                "budgets": {
                    limit.metric: [float(limit.amount), limit.text] for limit in one.budgets
                },
                "runs": [_row(run, diffs.get(run.file)) for run in one.runs],
            }
            for one in series
        ],
        "bad": [{"file": one.file, "error": one.error} for one in bad],
    }
    return frame(
        "dashboard",
        data,
        title="Model costs",
        about="What is here",
        table="runs",
        static=(
            "<p>The tables and trends need JavaScript. The pages of the reports are in the folder "
            "reports.</p>"
        ),
    )


def _row(run: Run, diff: str | None) -> dict[str, Any]:
    return {
        "file": run.file,
        "page": f"reports/{run.page}",
        "diff": None if diff is None else f"diffs/{diff}",
        "commit": run.commit,
        "labels": [list(label) for label in run.labels],
        "created": run.created,
        "values": {metric: for_script(value) for metric, value in run.values.items()},
        "uncounted": list(run.uncounted),
        "stopped": run.stopped_in,
    }

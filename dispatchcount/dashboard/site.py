"""Writes the dashboard's pages: ``index.html``, and a page for each report.

The script of the reports' pages is written once, beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dispatchcount.dashboard.collect import METRICS, Bad, Run, collect, page_name, report_files
from dispatchcount.errors import UsageError
from dispatchcount.files import identity, write
from dispatchcount.render.html.figures import described, for_script
from dispatchcount.render.html.page import asset, embedded, fill, page
from dispatchcount.report.conventions import find_convention

SCRIPT = "report.js"
"""The file that the pages of all reports load their script from."""


def build(folder: Path, site: Path, convention: str) -> tuple[list[Run], list[Bad]]:
    """Write the pages of all reports below `folder` to the folder `site`.

    Returns:
        The reports that have a page, and the files that could not be read.

    Raises:
        dispatchcount.errors.UsageError: `folder` holds no readable report, `site` is a file, or a
            page would be written over a report. Nothing was written then.
        OSError: a page cannot be written.
    """
    if site.exists() and not site.is_dir():
        raise UsageError(f"{site} is a file; give a folder for the pages with -o")
    _refuse_to_overwrite(folder, site)
    runs: list[Run] = []
    bad: list[Bad] = []
    for found in collect(folder, convention):
        if isinstance(found, Bad):
            bad.append(found)
            continue
        run, report = found
        if not runs:
            (site / "reports").mkdir(parents=True, exist_ok=True)
            write(site / SCRIPT, asset(SCRIPT))
        write(site / "reports" / run.page, page(report, script=f"../{SCRIPT}"))
        runs.append(run)
    if not runs:
        raise UsageError(f"no file in {folder} is a report: {bad[0].error}")
    runs.sort(key=lambda run: (run.model, run.input, run.created, run.file))
    write(site / "index.html", index(runs, bad, convention))
    return runs, bad


def _refuse_to_overwrite(folder: Path, site: Path) -> None:
    # The names of pages and reports end differently, so only a link can make them one file.
    reports = report_files(folder)
    read = {identity(path): path for path in reports}
    pages = [site / "reports" / page_name(path.relative_to(folder).as_posix()) for path in reports]
    for written in (site / "index.html", site / SCRIPT, *pages):
        source = None if identity(written) is None else read.get(identity(written))
        if source is not None:
            raise UsageError(
                f"{written} would overwrite {source}, which is read; give another folder with -o"
            )


def index(runs: list[Run], bad: list[Bad], convention: str) -> str:
    """The first page."""
    data: dict[str, Any] = {
        "convention": {"name": convention, "unit": find_convention(convention).unit},
        "metrics": [described(metric) for metric in METRICS],
        "runs": [_row(run) for run in runs],
        "bad": [{"file": one.file, "error": one.error} for one in bad],
    }
    return fill(
        "dashboard.html",
        asset("dashboard.js"),
        style=asset("dashboard.css"),
        data=embedded(data),
    )


def _row(run: Run) -> dict[str, Any]:
    return {
        "file": run.file,
        "page": f"reports/{run.page}",
        "model": run.model,
        "input": run.input,
        "commit": run.commit,
        "labels": [list(label) for label in run.labels],
        "created": run.created,
        "values": {metric: for_script(value) for metric, value in run.values.items()},
        "uncounted": list(run.uncounted),
        "stopped": run.stopped_in,
    }

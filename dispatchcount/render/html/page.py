"""One self-contained HTML page for a report: works offline, asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.diff import diff_markdown
from dispatchcount.render.html.data import page_data
from dispatchcount.render.html.diff_data import diff_data
from dispatchcount.render.html.notebook import escaped, to_notebook
from dispatchcount.render.html.payload import element
from dispatchcount.render.html.ranks_data import ranks_data
from dispatchcount.render.plain import clean
from dispatchcount.report.collection import no_collection

if TYPE_CHECKING:
    from dispatchcount.report.diff import DiffData
    from dispatchcount.report.model import ReportData
    from dispatchcount.report.ranks import RanksData


def to_html(
    report: ReportData,
    path: str | PathLike[str] | None = None,
    roof: dict[str, Any] | None = None,
) -> str:
    """The report as one page; written to `path` as well, if given. `roof` is as of `page`.

    Raises:
        OSError: `path` cannot be written.
    """
    whole = page(report, roof=roof)
    if path is not None:
        write(path, whole)
    return whole


@no_collection()
def page(report: ReportData, script: str | None = None, roof: dict[str, Any] | None = None) -> str:
    """The report as a page.

    Args:
        report: the report.
        script: the relative address that the page loads its script from, so that many pages share
            one; None puts the script into the page.
        roof: the run on a device's roofline, as the page's script takes it; None for no device.
    """
    title = _title(report)
    return _report_page(report, title, page_data(report, title) | {"roof": roof}, script)


@no_collection()
def ranks_to_html(ranks: RanksData[Any], path: str | PathLike[str] | None = None) -> str:
    """The ranks of a job as one page; written to `path` as well, if given.

    Raises:
        ValueError: the conventions of the reports differ.
        OSError: `path` cannot be written.
    """
    title = _title(ranks.sum)
    whole = _report_page(ranks.sum, title, ranks_data(ranks, title) | {"roof": None})
    if path is not None:
        write(path, whole)
    return whole


def _report_page(
    report: ReportData, title: str, data: dict[str, Any], script: str | None = None
) -> str:
    """The page of a report, or of all ranks together, with this data."""
    return frame(
        "report",
        data,
        title=title,
        about="About this run",
        table="modules",
        static=(
            "<p>The chart and the tables need JavaScript. These are the biggest modules.</p>"
            + to_notebook(report)
        ),
        address=script,
    )


def diff_to_html(diff: DiffData, path: str | PathLike[str] | None = None) -> str:
    """The diff as one page; written to `path` as well, if given.

    Raises:
        OSError: `path` cannot be written.
    """
    whole = diff_page(diff)
    if path is not None:
        write(path, whole)
    return whole


@no_collection()
def diff_page(diff: DiffData, script: str | None = None) -> str:
    """The diff as a page; `script` as of `page`."""
    old, new = (_title(report) for report in (diff.old, diff.new))
    title = f"Diff of {new}" if old == new else f"{old} → {new}"
    return frame(
        "diff",
        diff_data(diff, title),
        title=title,
        about="The two reports",
        table="modules",
        static=(
            "<p>The charts and the tables need JavaScript. This is the diff as Markdown.</p>"
            f"<pre>{escaped(diff_markdown(diff))}</pre>"
        ),
        address=script,
    )


def _title(report: ReportData) -> str:
    return report.labels.get("model") or report.meta.model or "Profiled block"


def asset(name: str) -> str:
    """A file of `render/html/assets`."""
    found = files("dispatchcount.render.html") / "assets" / name
    return found.read_text(encoding="utf-8")


def frame(
    name: str,
    data: Any,
    *,
    title: str,
    about: str,
    table: str,
    static: str,
    address: str | None = None,
) -> str:
    """A page: the frame that all pages share, around the parts of this one.

    Args:
        name: the page, which has a ``.html``, a ``.css`` and a ``.js`` among the assets.
        data: what its script is given.
        title: its title, as plain text.
        about: what the facts below the title are about.
        table: the section, by its id, that the first link of the page leads to.
        static: what stands there without JavaScript, as HTML.
        address: where the page finds its script, so that many pages share one; None puts the script
            into the page.

    The page's policy names its script by its hash: no other script runs, and nothing is fetched
    from elsewhere.
    """
    script = asset(f"{name}.js")
    source = _hash(script) if address is None else "'self' file:"
    parts = {
        "title": escaped(clean(title)),
        "about": about,
        "table": table,
        "static": static,
        "style": asset(f"{name}.css"),
        "main": asset(f"{name}.html"),
        "data": element(data),
        "script": f"<script>{script}</script>"
        if address is None
        else f'<script src="{address}"></script>',
        "policy": (
            f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {source}"
        ),
    }
    return re.sub(r"%%(\w+)%%", lambda match: parts[match[1]], asset("frame.html"))


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

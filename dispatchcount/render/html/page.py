"""One self-contained HTML page for a report: works offline, asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.diff import diff_markdown
from dispatchcount.render.html.data import page_data
from dispatchcount.render.html.diff_data import diff_data
from dispatchcount.render.html.notebook import escaped, to_notebook
from dispatchcount.report.collection import no_collection

if TYPE_CHECKING:
    from dispatchcount.report.diff import DiffData
    from dispatchcount.report.model import ReportData


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
    return fill(
        "report.html",
        asset("report.js"),
        script,
        title=escaped(title),
        style=asset("report.css"),
        data=embedded(page_data(report, title) | {"roof": roof}),
        static=to_notebook(report),
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
    return fill(
        "diff.html",
        asset("diff.js"),
        script,
        title=escaped(title),
        style=asset("diff.css"),
        data=embedded(diff_data(diff, title)),
        static=escaped(diff_markdown(diff)),
    )


def _title(report: ReportData) -> str:
    return dict(report.meta.labels).get("model") or report.meta.model or "Profiled block"


def asset(name: str) -> str:
    """A file of `render/html/assets`."""
    found = files("dispatchcount.render.html") / "assets" / name
    return found.read_text(encoding="utf-8")


def embedded(data: Any) -> str:
    """`data` as ASCII JSON that can stand inside a script element.

    There is no ``<`` in it, so that no name can end the element.
    """
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def fill(template: str, script: str, address: str | None = None, **parts: str) -> str:
    """A template of `render/html/assets` with each ``%%name%%`` replaced.

    Args:
        template: its file name.
        script: the page's script, bundled.
        address: where the page finds the script; None puts it into the page.
        **parts: what the names stand for.

    The page's policy names its script by its hash: no other script runs, and nothing is fetched
    from elsewhere.
    """
    parts["script"] = (
        f"<script>{script}</script>" if address is None else f'<script src="{address}"></script>'
    )
    source = _hash(script) if address is None else "'self' file:"
    parts["policy"] = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {source}"
    )
    return re.sub(r"%%(\w+)%%", lambda match: parts[match[1]], asset(template))


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

"""One self-contained HTML page for a report: works offline, asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.files import write
from dispatchcount.render.html_data import page_data
from dispatchcount.render.notebook import to_notebook

if TYPE_CHECKING:
    from dispatchcount.report.model import Report

_SCRIPTS = ("common.js", "report_tree.js", "report_chart.js", "report_table.js", "report_parts.js", "report.js")
_STYLES = ("common.css", "report.css")


def to_html(report: Report, path: str | PathLike[str] | None = None) -> str:
    """The report as one page; written to `path` as well, if given.

    Raises:
        OSError: `path` cannot be written.
    """
    title = page_title(report)
    page = fill(
        "report.html",
        title=text(title),
        style=asset(*_STYLES),
        data=embedded(page_data(report, title)),
        library=asset("vendor/echarts.min.js"),
        script=asset(*_SCRIPTS),
        static=to_notebook(report),
    )
    if path is not None:
        write(path, page)
    return page


def page_title(report: Report) -> str:
    """What the page is called: the label ``model`` if there is one, else the class names of the roots."""
    return dict(report.meta.labels).get("model") or report.meta.model or "Profiled block"


def asset(*names: str) -> str:
    """Files of `render/assets`, one after the other."""
    folder = files("dispatchcount.render") / "assets"
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def embedded(data: Any) -> str:
    """`data` as ASCII JSON that can stand inside a script element: no ``<`` is left in it, so no name can end the element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def text(value: str) -> str:
    """`value` as HTML text; what UTF-8 cannot hold becomes a question mark."""
    return html.escape(value).encode("utf-8", "replace").decode()


def fill(template: str, **parts: str) -> str:
    """A template of `render/assets` with ``%%name%%`` replaced, and the policy that lets only its own scripts run."""
    allowed = " ".join(f"'sha256-{_sha256(parts[name])}'" for name in ("library", "script") if name in parts)
    parts["policy"] = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"
    return re.sub(r"%%(\w+)%%", lambda match: parts[match[1]], asset(template))


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

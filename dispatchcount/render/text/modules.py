"""The modules of a report as text for other programs: CSV, JSON lines, Markdown."""

from __future__ import annotations

import csv
from io import StringIO
from os import PathLike

from dispatchcount import files
from dispatchcount.render.columns import MODULE_COLUMNS, measured, telling
from dispatchcount.render.console.table import COLUMNS, LEFT
from dispatchcount.render.select import select
from dispatchcount.render.summary import hidden, shared, summary
from dispatchcount.render.text.markdown import code, escaped, line
from dispatchcount.report.json.serialize import dumps
from dispatchcount.report.json.write import module_objects
from dispatchcount.report.metrics import KEYS
from dispatchcount.report.model import ReportData

_SELF = tuple(metric for metric in KEYS if metric != "calls")


def to_csv(report: ReportData, path: str | PathLike[str] | None = None) -> str:
    """A line for each module in the order of the model, with raw integers.

    The columns are name, type, every metric of `Stats`, estimate (0 or 1), and each metric but
    calls without the module's children, as ``self_flops`` …

    Raises:
        OSError: the file cannot be written.
    """
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("name", "type", *KEYS, "estimate", *(f"self_{metric}" for metric in _SELF)))
    types = {module.name: module.type for module in report.modules}
    for name, row in report.by_module().items():
        own = [getattr(row.self_, metric) for metric in _SELF]
        writer.writerow(
            (
                name,
                types[name],
                *(getattr(row, metric) for metric in KEYS),
                int(row.estimate),
                *own,
            )
        )
    text = stream.getvalue()
    if path is not None:
        files.write(path, text)
    return text


def to_jsonl(report: ReportData, path: str | PathLike[str] | None = None) -> bytes:
    """A JSON object for each module and line.

    They are those under ``modules`` in the report's JSON, but ``parent`` is a name.

    Raises:
        OSError: the file cannot be written.
    """
    shown = report.by_module()
    rows = [row for row in module_objects(report) if row["name"] in shown]
    for row in rows:
        row["parent"] = None if row["parent"] is None else report.modules[row["parent"]].name
    data = b"".join(dumps(row) + b"\n" for row in rows)
    if path is not None:
        files.write(path, data)
    return data


def to_markdown(report: ReportData, depth: int | None = 3) -> str:
    """The module table as GitHub Markdown with full names, and below it what the numbers leave out.

    Raises:
        ValueError: `depth` is negative.
    """
    selection = select(report, depth)
    columns = {name: MODULE_COLUMNS[name] for name in ("path", *COLUMNS[1:], *measured(report))}
    lines = [
        line(["module", *(column.header for name, column in columns.items() if name != "path")]),
        line([":--" if name in LEFT else "--:" for name in columns]),
    ]
    for row in telling(selection.rows, columns):
        texts = {name: column.text(row, False) for name, column in columns.items()}
        lines.append(
            line([code(text) if name == "path" else escaped(text) for name, text in texts.items()])
        )
    notes = [
        f"- {about}: {escaped(text)}"
        for about, text, _ in hidden(selection) + shared(selection) + summary(report)
    ]
    return "\n".join([*lines, "", *notes]) + "\n"

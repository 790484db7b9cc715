"""The modules of a report as text for other programs: CSV, JSON lines, Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from dispatchcount import files
from dispatchcount.render import collectives
from dispatchcount.render.text.csv_lines import csv_lines
from dispatchcount.render.text.markdown import code, escaped, line
from dispatchcount.render.text.module_texts import ModuleTexts
from dispatchcount.render.text.more import MORE, more_of_modules
from dispatchcount.report.json.serialize import dumps
from dispatchcount.report.json.write import module_objects
from dispatchcount.report.metrics import KEYS
from dispatchcount.report.model import ReportData

_SELF = tuple(metric for metric in KEYS if metric != "calls")


def to_csv(report: ReportData, path: str | PathLike[str] | None = None) -> str:
    """A line for each module in the order of the model, with raw integers.

    The columns are name, type, every metric of `Stats`, estimate (0 or 1), each metric but calls
    without the module's children, as ``self_flops`` …, and then trainable (elements of trainable
    parameters), param_bytes, and the shapes of inputs and outputs as text.

    Raises:
        OSError: the file cannot be written.
    """
    own_names = [f"self_{metric}" for metric in _SELF]
    rows: list[Sequence[object]] = [("name", "type", *KEYS, "estimate", *own_names, *MORE)]
    types = {module.name: module.type for module in report.modules}
    more = dict(zip(types, more_of_modules(report), strict=True))
    for name, row in report.by_module().items():
        own = [getattr(row.self_, metric) for metric in _SELF]
        figures = [getattr(row, metric) for metric in KEYS]
        rows.append((name, types[name], *figures, int(row.estimate), *own, *more[name]))
    text = csv_lines(rows)
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


def to_markdown(report: ReportData, table: ModuleTexts, *, exact: bool = False) -> str:
    """The module table as GitHub Markdown with full names, and below it what the numbers leave out.

    Args:
        report: the report, of which what was sent between ranks is told as well.
        table: its module table.
        exact: show every digit of what was sent.
    """
    lines = [line(table.headers), line([":--" if left else "--:" for left in table.left])]
    lines += [line([code(name), *map(escaped, cells)]) for name, *cells in table.rows]
    lines += _collectives(report, exact)
    notes = [f"- {about}: {escaped(text)}" for about, text, _ in table.notes]
    return "\n".join([*lines, "", *notes]) + "\n"


def _collectives(report: ReportData, exact: bool) -> list[str]:
    """The lines of a table of what was sent between ranks; nothing if no collective ran."""
    rows = collectives.texts(report, exact=exact).rows
    if not rows:
        return []
    rules = [":--" if left else "--:" for left in collectives.LEFT]
    cells = [line([code(op), *map(escaped, others)]) for op, *others in rows]
    return ["", line(collectives.HEADERS), line(rules), *cells]

"""A diff as rich tables and as Markdown: totals, modules, operators, the biggest change first."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import ABSENT, count, plural
from dispatchcount.render.plain import Printable, clean, named
from dispatchcount.render.text.markdown import code, escaped, line
from dispatchcount.report.diff import ADDED, REMOVED, RENAMED, Change, DiffData
from dispatchcount.report.metrics import COMPARED

ALWAYS = ("flops", "params", "activations")
"""Totals that are shown even if they did not change."""

_STYLES = {ADDED: "green", REMOVED: "red", RENAMED: "cyan"}


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a console or of Markdown.

    Attributes:
        title: what stands over it.
        headers: those of its columns.
        left: how many of the first columns hold text.
        rows: its cells.
        changes: what became of each row, one of `CHANGES`, or nothing in the table of totals.
        left_out: how many smaller changes it does not show.
    """

    title: str
    headers: tuple[str, ...]
    left: int
    rows: list[tuple[str, ...]]
    changes: list[str]
    left_out: int = 0


def diff_table(diff: DiffData, top: int | None = 30, *, exact: bool = False) -> Printable:
    """The diff for a console; `top` limits the rows of modules and of operators, None shows all."""
    parts: list[RenderableType] = []
    for table in _tables(diff, top, exact):
        cells = [
            Cells(
                header,
                [row[i] for row in table.rows],
                i < table.left,
                [_STYLES.get(c, "") for c in table.changes],
                i < 4,
            )
            for i, header in enumerate(table.headers)
        ]
        parts += [Text(table.title, "bold"), Grid(cells)]
        if table.left_out:
            opens = hint("top=None", "--top all")
            left_out = plural(table.left_out, "smaller change")
            parts.append(Text(f"and {left_out}; {opens} shows all", "dim"))
        parts.append(Text())
    parts += [Text(note, "dim") for note in _notes(diff)]
    return Printable(Group(*parts))


def diff_markdown(diff: DiffData, top: int | None = 30) -> str:
    """The diff as GitHub Markdown; names are code, so that nothing in them is markup."""
    lines: list[str] = []
    for table in _tables(diff, top, False):
        lines += [f"**{table.title}**", "", line(table.headers)]
        lines.append(line(":--" if i < table.left else "--:" for i in range(len(table.headers))))
        for row, change in zip(table.rows, table.changes, strict=True):
            name = 1 if change else 0
            lines.append(
                line(code(cell) if i == name else escaped(cell) for i, cell in enumerate(row))
            )
        if table.left_out:
            lines += ["", f"and {plural(table.left_out, 'smaller change')}"]
        lines.append("")
    return "\n".join([*lines, *(f"- {escaped(note)}" for note in _notes(diff))]) + "\n"


def _tables(diff: DiffData, top: int | None, exact: bool) -> list[_Table]:
    total = diff.total
    keys = [metric.key for metric in COMPARED]
    metrics = [key for key in keys if key in ALWAYS or total.delta(key)]
    rows: list[tuple[str, ...]] = []
    for metric in metrics:
        before, after = (count(getattr(stats, metric), exact) for stats in (total.old, total.new))
        rows.append((metric, before, after, *_grown(total, metric, exact)))
    tables = [
        _Table(_title(diff), ("total", "old", "new", "change", "%"), 1, rows, [""] * len(rows))
    ]
    for title, changes in (("module", diff.modules), ("operator", diff.operators)):
        if changes:
            tables.append(_changes(title, changes, top, exact))
    return tables


def _title(diff: DiffData) -> str:
    if not diff:
        return "Nothing changed"
    parts = [
        plural(len(rows), noun)
        for noun, rows in (("module", diff.modules), ("operator", diff.operators))
        if rows
    ]
    return f"Changed: {' and '.join(parts) or 'the totals'}"


def _changes(noun: str, changes: tuple[Change, ...], top: int | None, exact: bool) -> _Table:
    shown = changes if top is None else changes[:top]
    modules = noun == "module"
    rows: list[tuple[str, ...]] = []
    for row in shown:
        name = named(row.name) + (f" ← {named(row.old_name)}" if row.old_name is not None else "")
        kind = (
            (clean(row.type),)
            if modules
            else (count(row.new.calls, exact), _signed(row.delta("calls"), exact))
        )
        more = (_signed(row.delta("params"), exact),) if modules else ()
        figures = (*_grown(row, "flops", exact), *more, _signed(row.delta("activations"), exact))
        rows.append((row.change, name, *kind, count(row.new.flops, exact), *figures))
    kind_headers, more_headers = (
        (("type",), ("Δ params",)) if modules else (("calls", "Δ calls"), ())
    )
    headers = ("", noun, *kind_headers, "flops", "Δ flops", "%", *more_headers, "Δ activations")
    left = 3 if modules else 2
    return _Table(
        f"{noun.capitalize()}s",
        headers,
        left,
        rows,
        [row.change for row in shown],
        len(changes) - len(shown),
    )


def _grown(row: Change, metric: str, exact: bool) -> tuple[str, str]:
    percent = row.percent(metric)
    return _signed(
        row.delta(metric), exact
    ), ABSENT if percent is None else f"{percent:+.1f} %" if percent else "0.0 %"


def _signed(value: int, exact: bool) -> str:
    return f"+{count(value, exact)}" if value > 0 else count(value, exact)


def _notes(diff: DiffData) -> list[str]:
    notes = [f"flops: {diff.old.convention} convention: {diff.old.flop_definition.unit}"]
    before = {(issue.op, issue.status) for issue in diff.old.issues}
    notes += [
        f"not counted, new: {clean(issue.op)} ({issue.status}, {plural(issue.calls, 'call')})"
        for issue in diff.new.issues
        if (issue.op, issue.status) not in before
    ]
    if diff.new.meta.stopped_in is not None and diff.old.meta.stopped_in is None:
        notes.append(
            f"the new run stopped in {named(diff.new.meta.stopped_in)}: its figures go up to there"
        )
    return notes

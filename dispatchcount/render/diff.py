"""A diff as rich tables and as Markdown: totals, modules, operators, the biggest change first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import ABSENT, count, in_unit, plural
from dispatchcount.render.plain import Printable, clean, named
from dispatchcount.render.text.markdown import code, escaped, line, link
from dispatchcount.render.top import check_top
from dispatchcount.report.diff import ADDED, REMOVED, RENAMED, Change, DiffData, metrics_of
from dispatchcount.report.diff_folded import FoldedChange, folded_modules
from dispatchcount.report.metrics import BY_KEY, KNOWN_OF

ALWAYS = ("flops", "params", "activations")
"""Totals that are shown even if they did not change."""

_STYLES = {ADDED: "green", REMOVED: "red", RENAMED: "cyan"}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table.

    Attributes:
        name: what it is about; in Markdown it is code.
        more: what is said of the name behind it.
        cells: the cells behind the name.
        change: what became of it, one of `CHANGES`; nothing in the table of totals.
    """

    name: str
    more: str
    cells: tuple[str, ...]
    change: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a console or of Markdown.

    Attributes:
        title: what stands over it.
        headers: those of its columns; the first is that of the names.
        kept: headers of columns of figures that a narrow console shows.
        rows: its rows.
        left_out: how many smaller changes it does not show.
        folded: True if a row stands for several changes.
    """

    title: str
    headers: tuple[str, ...]
    kept: tuple[str, ...]
    rows: list[_Row]
    left_out: int = 0
    folded: bool = False

    @property
    def changes(self) -> bool:
        """True if its rows say what became of them."""
        return any(row.change for row in self.rows)


_TEXTS = ("type",)
"""Headers of columns that hold text, besides the first."""


def diff_table(
    diff: DiffData, top: int | None = 30, *, exact: bool = False, fold: bool = True
) -> Printable:
    """The diff for a console.

    Args:
        diff: the diff.
        top: how many modules and how many operators to show, None for all.
        exact: show every digit.
        fold: True to show equal changes, and a tree that came or went, as one row; see
            `dispatchcount.report.diff_folded`.

    Raises:
        ValueError: `top` is negative.
    """
    tables = _tables(diff, top, exact, fold)
    parts: list[RenderableType] = []
    for table in tables:
        styles = [_STYLES.get(row.change, "") for row in table.rows]
        names = [f"{row.name}{row.more}" for row in table.rows]
        columns = [Cells(table.headers[0], names, True, styles)]
        if table.changes:
            columns.insert(0, Cells("", [row.change for row in table.rows], True, styles, True))
            columns[1].keep = True
        for place, header in enumerate(table.headers[1:]):
            cells = [row.cells[place] for row in table.rows]
            text = header in _TEXTS
            columns.append(Cells(header, cells, text, styles, header in table.kept))
        parts += [Text(table.title, "bold"), Grid(columns)]
        if table.left_out:
            opens = hint("top=None", "--top all")
            left_out = plural(table.left_out, "smaller change")
            parts.append(Text(f"and {left_out}; {opens} shows all", "dim"))
        parts.append(Text())
    parts += [Text(note, "dim") for note in _notes(diff, tables)]
    return Printable(Group(*parts))


def diff_markdown(
    diff: DiffData, top: int | None = 30, *, fold: bool = True, page: str | None = None
) -> str:
    """The diff as GitHub Markdown; names are code, so that nothing in them is markup.

    Args:
        diff: the diff.
        top: as of `diff_table`.
        fold: as of `diff_table`.
        page: where the diff's page is, to be linked.

    Raises:
        ValueError: `top` is negative, or `page` is not an address.
    """
    lines: list[str] = []
    tables = _tables(diff, top, False, fold)
    for table in tables:
        first = ("",) if table.changes else ()
        rules = [":--"] * (len(first) + 1)
        rules += [":--" if header in _TEXTS else "--:" for header in table.headers[1:]]
        lines += [f"**{table.title}**", "", line((*first, *table.headers)), line(rules)]
        for row in table.rows:
            cells = [code(row.name) + escaped(row.more), *map(escaped, row.cells)]
            lines.append(line([row.change, *cells] if first else cells))
        if table.left_out:
            lines += ["", f"and {plural(table.left_out, 'smaller change')}"]
        lines.append("")
    lines += [f"- {escaped(note)}" for note in _notes(diff, tables)]
    if page is not None:
        lines += ["", link("Both reports beside each other", page)]
    return "\n".join(lines) + "\n"


def _tables(diff: DiffData, top: int | None, exact: bool, fold: bool) -> list[_Table]:
    check_top(top, "rows")
    total = diff.total
    keys = [metric.key for metric in metrics_of(diff.old, diff.new) if metric.key not in KNOWN_OF]
    metrics = [key for key in keys if key in ALWAYS or total.delta(key)]
    rows = []
    for metric in metrics:
        show = in_unit(BY_KEY[metric].unit)
        before, after = (show(getattr(stats, metric), exact) for stats in (total.old, total.new))
        rows.append(_Row(metric, "", (before, after, *_grown(total, metric, exact))))
    headers = ("total", "old", "new", "change", "%")
    tables = [_Table(_title(diff), headers, headers, rows)]
    modules = folded_modules(diff) if fold else [FoldedChange(row) for row in diff.modules]
    if modules:
        tables.append(_modules(modules, top, exact))
    if diff.operators:
        tables.append(_operators(diff.operators, top, exact))
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


def _modules(changes: list[FoldedChange], top: int | None, exact: bool) -> _Table:
    shown = changes[:top]
    rows = []
    for one in shown:
        row = one.change
        name = named(row.name) + (f" ×{one.times:,}" if one.times > 1 else "")
        more = f" with {plural(one.inside, 'module')} inside" if one.inside else ""
        if row.old_name is not None:
            more += f" ← {named(row.old_name)}"
        figures = (*_before_and_after(row, exact), *_grown(row, "flops", exact))
        more_figures = (_signed(row, key, exact) for key in ("params", "activations"))
        rows.append(_Row(name, more, (clean(row.type), *figures, *more_figures), row.change))
    headers = ("module", "type", *_FLOPS, "Δ params", "Δ activations")
    folded = any(one.times > 1 or one.inside for one in shown)
    return _Table("Modules", headers, _KEPT, rows, len(changes) - len(shown), folded)


def _operators(changes: Sequence[Change], top: int | None, exact: bool) -> _Table:
    shown = changes[:top]
    rows = []
    for row in shown:
        more = "" if row.old_name is None else f" ← {named(row.old_name)}"
        calls = (count(row.new.calls, exact), _signed(row, "calls", exact))
        figures = (*_before_and_after(row, exact), *_grown(row, "flops", exact))
        cells = (*calls, *figures, _signed(row, "activations", exact))
        rows.append(_Row(named(row.name), more, cells, row.change))
    headers = ("operator", "calls", "Δ calls", *_FLOPS, "Δ activations")
    return _Table("Operators", headers, _KEPT, rows, len(changes) - len(shown))


_FLOPS = ("old flops", "new flops", "Δ flops", "%")
_KEPT = ("old flops", "new flops", "Δ flops")


def _before_and_after(row: Change, exact: bool) -> tuple[str, str]:
    """The flops of a row before and after; a dash where it was not there."""
    before = ABSENT if row.change == ADDED else count(row.old.flops, exact)
    after = ABSENT if row.change == REMOVED else count(row.new.flops, exact)
    return before, after


def _grown(row: Change, metric: str, exact: bool) -> tuple[str, str]:
    """By how much a figure grew, and how much that is of what it was."""
    percent = row.percent(metric)
    grown = f"{percent:+.1f} %" if percent else "0.0 %"
    return _signed(row, metric, exact), ABSENT if percent is None else grown


def _signed(row: Change, metric: str, exact: bool) -> str:
    """By how much a figure grew, in its unit."""
    value = row.delta(metric)
    text = in_unit(BY_KEY[metric].unit)(value, exact)
    return f"+{text}" if value > 0 else text


def _notes(diff: DiffData, tables: Sequence[_Table]) -> list[str]:
    notes = [f"flops: {diff.old.convention} convention: {diff.old.flop_definition.unit}"]
    if any(table.folded for table in tables):
        opens = hint("fold=False", "--unfold")
        notes.append(
            "folded: equal changes are one row marked ×, with their sum, and what was added or "
            f"removed with all modules inside is one; {opens} shows every one"
        )
    notes += [f"not compared: {sentence}" for sentence in diff.uncompared]
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

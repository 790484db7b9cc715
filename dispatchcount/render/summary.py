"""The lines below a table: what its numbers mean, and what it does not show."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from dispatchcount.render.collectives import sent
from dispatchcount.render.columns import is_per_sample
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import (
    AT_LEAST,
    ESTIMATE,
    bytes_said,
    count,
    human,
    percent,
    plural,
)
from dispatchcount.render.plain import clean, cut, first_line, named, some
from dispatchcount.render.select import AUTO, MORE, Selection
from dispatchcount.report.coverage import inputs, topmost_uncalled
from dispatchcount.report.fold import Fold
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import FORWARD, UNKNOWN, UNSEEN, OpIssue
from dispatchcount.report.shapes import batch_of

_MOST = 5
_IN_FILE = "the report as JSON names all"
_MOST_ROOTS, _MOST_SHAPES, _LONGEST_SHAPES = 3, 3, 120

Line = tuple[str, str, str]
"""What a line is about, what it says, and its style."""


def summary(report: ReportData, *, exact: bool = False) -> list[Line]:
    """What every rendering says: the unit, where the block ran, and what the numbers leave out."""
    meta = report.meta
    lines = [("flops", f"{report.convention} convention: {report.flop_definition.unit}", "")]
    if report.estimate or report.total.estimate_elementwise:
        ops = list(dict.fromkeys(e.op for e in report.entries if e.cost.estimate))
        estimated = some(ops, _MOST, hint("by_operator() marks them", "--format json marks them"))
        # Nearly every table shows flops, and hardly one shows element-wise work.
        part = "what is marked so" if report.estimate else "element-wise work, not of these flops"
        lines.append((ESTIMATE, f"an estimate is part of {part}: {estimated}", "yellow"))
    if report.params:
        lines.append(("params", _parameters(report, exact), ""))
    phases = report.by_phase()
    if set(phases) - {FORWARD}:
        parts = [f"{name} {count(row.flops, exact)}" for name, row in phases.items()]
        lines.append(("phases", f"{', '.join(parts)} flops", ""))
    where = [", ".join(map(clean, part)) for part in (meta.devices, meta.dtypes) if part]
    mode = [] if meta.training is None else ["train mode" if meta.training else "eval mode"]
    given = _inputs(report)
    if where or mode or given:
        where[:1] = [f"on {text}" for text in where[:1]]
        lines.append(("ran", "; ".join([*where, *mode, *given]), ""))
    if meta.labels:
        lines.append(
            ("labels", ", ".join(f"{clean(key)}={clean(value)}" for key, value in meta.labels), "")
        )
    if report.samples:
        spread = report.distribution()
        figures = ", ".join(
            f"{name} {human(getattr(spread, name))}"
            for name in ("mean", "min", "median", "p95", "max")
        )
        lines.append(("samples", f"{len(report.samples):,}, flops of one: {figures}", ""))
    lines += sent(report, exact=exact)
    if report.memory:
        peak = report.memory
        place = (
            f"in {named(peak.peak_module)}, at {clean(peak.peak_op)}"
            if peak.peak_op
            else "before the first operator"
        )
        lines.append(("memory", f"{bytes_said(peak.peak, exact)} at its peak, {place}", ""))
    return lines + _gaps(report) + [("note", clean(note), "") for note in meta.notes]


def _parameters(report: ReportData, exact: bool) -> str:
    """How many parameters there are, how many are trainable and held by this rank, and bytes."""
    frozen = report.params - report.trainable
    text = f"{count(report.params, exact)} ({bytes_said(report.param_bytes, exact)}), "
    if not frozen:
        text += "all trainable"
    elif not report.trainable:
        text += "all frozen"
    else:
        text += f"{count(report.trainable, exact)} trainable and {count(frozen, exact)} frozen"
    if report.local_params != report.params:
        text += f"; this rank holds {count(report.local_params, exact)}"
    return text


def per_sample(report: ReportData, columns: Iterable[str], batch: int | None) -> list[Line]:
    """What figures of one sample of a batch were divided by, if a column has such."""
    if not any(map(is_per_sample, columns)):
        return []
    found = batch_of(report, batch)
    if found is None:
        text = "the inputs do not say how many samples ran; say it: " + hint("batch=8", "--batch 8")
        return [("sample", text, "yellow")]
    text = f"figures of one sample are those of all divided by {found.size:,}, "
    return [("sample", text + clean(found.source), "")]


def _inputs(report: ReportData) -> list[str]:
    """The shapes that went into the roots, in a few words.

    Of each of the first roots it names the first shapes that the root was called with.
    """
    given = inputs(report)
    texts = []
    for name, shapes in list(given.items())[:_MOST_ROOTS]:
        text = cut(" or ".join(clean(shape) for shape in shapes[:_MOST_SHAPES]), _LONGEST_SHAPES)
        more = (
            f" and {len(shapes) - _MOST_SHAPES:,} other shapes"
            if len(shapes) > _MOST_SHAPES
            else ""
        )
        texts.append((f"{named(name)} " if len(given) > 1 else "") + text + more)
    if len(given) > _MOST_ROOTS:
        texts.append(f"those of {len(given) - _MOST_ROOTS:,} other roots")
    return [f"{'inputs' if len(given) > 1 else 'input'} {', '.join(texts)}"] if texts else []


def hidden(selection: Selection) -> list[Line]:
    """What a selection of modules leaves out, and the option that shows it."""
    lines = []
    if selection.deeper:
        auto = selection.depth == AUTO
        where = f"in rows marked {MORE}" if auto else f"below depth {selection.depth}"
        lines.append(
            (
                "hidden",
                f"{plural(selection.deeper, 'module')} {where}; "
                f"{hint('depth=None', '--depth all')} shows all",
                "dim",
            )
        )
    if selection.smaller:
        share = percent(selection.min_share)
        lines.append(
            (
                "hidden",
                f"{plural(selection.smaller, 'module')} with less than {share} of the flops; "
                f"{hint('min_share=0', '--min-share 0')} shows all",
                "dim",
            )
        )
    return lines


def folded(selection: Selection) -> list[Line]:
    """How many modules stand in rows of several, and the option that gives each its own row."""
    return folds_told(row.fold for row in selection.rows if row.fold is not None)


def folds_told(folds: Iterable[Fold]) -> list[Line]:
    """The same of the rows of any table of modules."""
    # Rows within a folded row are not counted again: they stand for parts of its modules.
    top = [fold for fold in folds if fold.times > 1 and len(fold.members) == fold.times]
    if not top:
        return []
    number = sum(fold.times for fold in top)
    return [
        (
            "folded",
            f"{plural(number, 'equal module')} as {plural(len(top), 'row')} marked ×, each with "
            f"the sum of its modules; {hint('fold=False', '--unfold')} shows every one",
            "dim",
        )
    ]


def shared(selection: Selection) -> list[Line]:
    """The other names of the modules shown."""
    texts = [
        " = ".join(named(name) for name in (row.module.name, *row.module.aliases))
        for row in selection.rows
        if row.module.aliases
    ]
    rest = hint("aliases in report.modules", _IN_FILE)
    return [("shared", some(texts, _MOST, rest), "")] if texts else []


def footer(lines: list[Line]) -> Table:
    """The lines as a grid; long ones fold on a narrow console."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for about, text, style in lines:
        table.add_row(Text(about, style or "dim"), Text(text, style if style == "dim" else ""))
    return table


def _gaps(report: ReportData) -> list[Line]:
    """What is not in the numbers."""
    lines: list[Line] = []
    if report.meta.stopped_in is not None:
        error = f": {first_line(report.meta.error)}" if report.meta.error else ""
        lines.append(
            (
                "stopped",
                f"in {named(report.meta.stopped_in)}{error}; the figures go up to there",
                "bold red",
            )
        )
    unknown = [issue for issue in report.unknown_ops.values() if issue.status == UNKNOWN]
    unseen = [issue for issue in report.unknown_ops.values() if issue.status == UNSEEN]
    failed = list(report.failed_ops.values())
    if report.incomplete:
        lines.append(
            (
                AT_LEAST,
                "operators that could not be counted, below, are missing from it",
                "bold red",
            )
        )
    lines += _issues("unknown", unknown, hint("report.unknown_ops", _IN_FILE))
    lines += _issues("unseen", unseen, hint("report.unknown_ops", _IN_FILE))
    lines += _issues("failed", failed, hint("report.failed_ops", _IN_FILE))
    names = [module.name for module in report.modules if module.fused]
    if names:
        rest = hint("Module.fused in report.modules", _IN_FILE)
        text = f"{plural(len(names), 'module')} run by operators of modules around them: "
        lines.append(("fused", text + some(names, 1, rest), "dim"))
    names = topmost_uncalled(report)
    if names:
        number = len(report.uncalled_modules)
        rest = hint("report.uncalled_modules", _IN_FILE)
        lines.append(
            (
                "uncalled",
                f"{plural(number, 'module')}: {some(names, _MOST, rest)}",
                "yellow",
            )
        )
    return lines


def _issues(about: str, issues: list[OpIssue], rest: str) -> list[Line]:
    issues = sorted(issues, key=lambda issue: -issue.nbytes)
    lines = [
        (
            about,
            f"{clean(issue.op)}, {plural(issue.calls, 'call')} in "
            + (some(issue.modules, 3, rest) or "no module")
            + (f": {first_line(issue.message)}" if issue.message else ""),
            "bold red",
        )
        for issue in issues[:_MOST]
    ]
    if len(issues) > _MOST:
        lines.append(
            (about, f"{plural(len(issues) - _MOST, 'more operator')} ({rest})", "bold red")
        )
    return lines

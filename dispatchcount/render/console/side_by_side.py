"""A few samples beside each other: which modules each ran, how often, and at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from dispatchcount.render.columns import MODULE_COLUMNS, measured
from dispatchcount.render.console.grid import Cells, Grid, heat, indent
from dispatchcount.render.hints import hint
from dispatchcount.render.numbers import ABSENT, count, in_unit, percent, plural
from dispatchcount.render.plain import Printable, clean
from dispatchcount.render.select import AUTO, Depth, Row, select
from dispatchcount.render.summary import Line, folded, footer, hidden, summary
from dispatchcount.report.derived import part
from dispatchcount.report.fold import together
from dispatchcount.report.metrics import SPENT, Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import NO_MODULE

MOST = 6
"""Samples that are shown unless they are named."""

COLUMNS = ("calls", "flops", "share")
"""What is shown of each unless others are asked for."""

_FIGURES = {key: metric for key, metric in SPENT.items() if not metric.measured}
"""The metrics that are counted sample by sample."""


def side_by_side(
    report: ReportData,
    *,
    depth: Depth = AUTO,
    samples: Sequence[str] | None = None,
    columns: Sequence[str] = COLUMNS,
    exact: bool = False,
    fold: bool = True,
) -> Printable:
    """The modules as rows, and beside them calls, flops and share of flops of some samples.

    Time and memory, where they were measured, are those of the whole block.

    Args:
        report: the report.
        depth: levels of modules below the root to show, None for all. With `AUTO` it opens the
            biggest modules as far as a window goes.
        samples: labels of the samples to show; by default the first ones.
        columns: what to show of each: ``"calls"``, ``"share"`` of the sample's flops, and metrics
            that are counted sample by sample, ``"flops"``, ``"macs"``, ``"bytes"`` …
        exact: show every digit.
        fold: True to show siblings that are equal in every sample as one row with their sum.

    Raises:
        ValueError: the block had no samples or none of a label, `depth` is no depth, or a column
            is not known.
    """
    report.distribution()  # raises if the block had no samples
    names = [columns] if isinstance(columns, str) else list(columns)
    known = ("calls", "share", *_FIGURES)
    for name in names:
        if name not in known:
            raise ValueError(f"column {name!r} is not known; it is one of {', '.join(known)}")
    selection = select(
        report, depth, fold=fold, wanted=lambda index: report.modules[index].name != NO_MODULE
    )
    rows = list(selection.rows)
    cells = [
        Cells(
            "module",
            [clean(row.name) for row in rows],
            left=True,
            leads=[indent(row.level) for row in rows],
        ),
        Cells(
            "type",
            [MODULE_COLUMNS["type"].text(row, exact) for row in rows],
            left=True,
            styles=["dim"] * len(rows),
        ),
    ]
    shown = _chosen(report, samples)
    whole, by_sample = report.sample_flops(), report.by_sample()
    for place, title in shown.items():
        figures = by_sample[place][1]
        stats = [together(figures[name] for name in row.names(report)) for row in rows]
        cells += _sample(title, names, rows, stats, whole[place], exact)
    for metric in measured(report):
        column = MODULE_COLUMNS[metric]
        texts = [column.text(row, exact) for row in rows]
        cells.append(Cells(column.header, texts, keep=True, group="the whole block"))
    lines: list[Line] = []
    left_out = len(report.samples) - len(shown)
    if left_out:
        which = f"after the first {MOST}" if samples is None else "besides those named"
        opens = hint("samples_table()", "--format samples")
        lines = [("hidden", f"{plural(left_out, 'sample')} {which}; {opens} sums up all", "dim")]
    lines += hidden(selection) + folded(selection) + summary(report, exact=exact)
    return Printable(Group(Grid(cells), Text(), footer(lines)))


def _chosen(report: ReportData, labels: Sequence[str] | None) -> dict[int, str]:
    """The places of the samples to show, each with what stands over it.

    Samples of one label are told apart by a number.
    """
    named: Counter[str] = Counter()
    titles = []
    for sample in report.samples:
        named[sample.label] += 1
        number = named[sample.label]
        title = clean(sample.label) or "(no name)"
        titles.append(f"{title} #{number}" if number > 1 else title)
    if labels is None:
        return dict(enumerate(titles[:MOST]))
    wanted = [labels] if isinstance(labels, str) else list(labels)
    for label in wanted:
        if label not in named:
            some = ", ".join(repr(one) for one in list(named)[:MOST])
            raise ValueError(f"no sample is called {label!r}; there are {some}")
    return {
        place: titles[place]
        for label in dict.fromkeys(wanted)
        for place, sample in enumerate(report.samples)
        if sample.label == label
    }


def _sample(
    title: str, names: Sequence[str], rows: list[Row], stats: list[Stats], whole: int, exact: bool
) -> list[Cells]:
    """The columns of one sample."""
    ran = [figures.calls > 0 or figures.flops > 0 for figures in stats]
    shares = [part(figures.flops, whole) or 0.0 for figures in stats]
    styles = [
        heat(share, row.level) if did else "dim"
        for share, row, did in zip(shares, rows, ran, strict=True)
    ]
    cells = []
    for name in names:
        if name == "calls":
            texts = [count(one.calls, exact) if one.calls else ABSENT for one in stats]
        elif name == "share":
            texts = [percent(share) for share in shares]
        else:
            metric = _FIGURES[name]
            texts = [in_unit(metric.unit)(metric.value(one), exact) for one in stats]
        if name != "calls":
            texts = [text if did else ABSENT for text, did in zip(texts, ran, strict=True)]
        header = _FIGURES[name].label if name in _FIGURES else name
        kept = name in _FIGURES or len(names) == 1
        style = styles if name == "flops" else ()
        cells.append(Cells(header, texts, styles=style, keep=kept, group=title))
    return cells

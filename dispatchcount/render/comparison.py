"""Several reports in one table, a row each: what a paper or a choice between models needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dispatchcount.render.columns import Column, marked, order, pick
from dispatchcount.render.console.grid import Cells, Grid
from dispatchcount.render.numbers import human, in_unit, nbytes
from dispatchcount.render.plain import Printable
from dispatchcount.render.text.csv_lines import csv_lines
from dispatchcount.render.text.latex import latex_table
from dispatchcount.render.text.markdown import escaped, line
from dispatchcount.report.derived import intensity, per_sample
from dispatchcount.report.metrics import BYTES, METRICS, Metric
from dispatchcount.report.model import ReportData


@dataclass(frozen=True)
class Compared:
    """A row: a report and what it is called in the table."""

    name: str
    report: ReportData


def _total(metric: Metric) -> Column[Compared]:
    """The column of one metric of the whole report; a dash where it was not measured."""

    def value(row: Compared) -> int | None:
        figure = metric.value(row.report.total)
        return None if metric.measured and not figure else figure

    def mark(row: Compared) -> str:
        return marked(row.report.total, metric.key, row.report.incomplete)

    column = Column(metric.label, value, in_unit(metric.unit))
    return Column(metric.label, value, column.show, mark) if metric.estimable else column


def _per_sample(metric: Metric) -> Column[Compared]:
    """The column of what one sample of the batch takes of a metric."""
    whole = _total(metric)

    def value(row: Compared) -> int | float | None:
        figure = whole.value(row)
        return per_sample(figure if isinstance(figure, int) else None, row.report.batch)

    return replace(whole, header=f"{whole.header}/sample", value=value)


def _label(key: str) -> Column[Compared]:
    return Column(key, lambda row: row.report.labels.get(key))


def _peak(row: Compared) -> int | None:
    return None if row.report.memory is None else row.report.memory.peak


COMPARISON_COLUMNS: dict[str, Column[Compared]] = {
    "name": Column("model", lambda row: row.name),
    "params": _total(next(metric for metric in METRICS if metric.key == "params")),
    **{metric.key: _total(metric) for metric in METRICS if metric.key != "params"},
    "bytes": _total(BYTES),
    "intensity": Column(
        "flops/byte", lambda row: intensity(row.report.total), lambda value, _: human(value)
    ),
    "peak": Column("peak memory", _peak, nbytes),
    "trainable": Column("trainable", lambda row: row.report.trainable),
    "param_bytes": Column("param bytes", lambda row: row.report.param_bytes, nbytes),
    "batch": Column("batch", lambda row: row.report.batch),
    **{f"{metric.key}_per_sample": _per_sample(metric) for metric in METRICS if metric.additive},
    "input": _label("input"),
    "dtype": _label("dtype"),
    "device": _label("device"),
}
"""By the name that ``--columns`` takes."""

_USUAL = ("params", "flops", "activations", "bytes")
_WHERE_MEASURED = ("peak", "time_ns")
_TEXTS = ("name", "input", "dtype", "device")


class Comparison:
    """The rows and columns of a comparison, to be written in any form.

    Args:
        rows: the reports; they are shown under the convention of the first.
        columns: names from `COMPARISON_COLUMNS`; by default what every report has and what one of
            them measured. The model's name comes first in any case.
        sort: the column whose biggest figure comes first; by default the order that is given.
        exact: show every digit.

    Raises:
        ValueError: there is no such column; the message lists those there are.
    """

    def __init__(
        self,
        rows: Sequence[Compared],
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        *,
        exact: bool = False,
    ) -> None:
        convention = rows[0].report.convention
        self.rows = [Compared(row.name, row.report.with_convention(convention)) for row in rows]
        names = columns or (*_USUAL, *(name for name in _WHERE_MEASURED if self._measured(name)))
        others = [name for name in names if name != "name"]
        self.columns = pick(COMPARISON_COLUMNS, ["name", *others], "column")
        if sort is not None:
            self.rows.sort(key=order(pick(COMPARISON_COLUMNS, [sort], "sort")[sort]))
        self.convention = convention
        self._exact = exact

    def _measured(self, name: str) -> bool:
        value = COMPARISON_COLUMNS[name].value
        return any(value(row) is not None for row in self.rows)

    @property
    def headers(self) -> list[str]:
        """What stands over the columns; flops with their convention."""
        unit = {"flops": f"flops ({self.convention})"}
        return [unit.get(name, column.header) for name, column in self.columns.items()]

    def table(self) -> Printable:
        """A table for a console; `str` is plain text."""
        cells = [
            Cells(
                header,
                [column.text(row, self._exact) for row in self.rows],
                left=name in _TEXTS,
                keep=name in ("name", "params", "flops"),
            )
            for header, (name, column) in zip(self.headers, self.columns.items(), strict=True)
        ]
        return Printable(Grid(cells))

    def markdown(self) -> str:
        """A table in GitHub Markdown."""
        rules = [":--" if name in _TEXTS else "--:" for name in self.columns]
        rows = [[escaped(text) for text in texts] for texts in self._texts()]
        return "\n".join(map(line, [self.headers, rules, *rows])) + "\n"

    def latex(self) -> str:
        """A table in LaTeX with booktabs."""
        return latex_table(self.headers, self._texts(), [name in _TEXTS for name in self.columns])

    def csv(self) -> str:
        """A line a row, with raw numbers; a field is empty where there is no figure."""
        values = [[column.value(row) for column in self.columns.values()] for row in self.rows]
        texts = [["" if value is None else str(value) for value in line_] for line_ in values]
        return csv_lines([list(self.columns), *texts])

    def _texts(self) -> list[list[str]]:
        return [
            [column.text(row, self._exact) for column in self.columns.values()] for row in self.rows
        ]


FORMATS: dict[str, Callable[[Comparison], Printable | str]] = {
    "table": Comparison.table,
    "markdown": Comparison.markdown,
    "latex": Comparison.latex,
    "csv": Comparison.csv,
}
"""The forms of a comparison."""

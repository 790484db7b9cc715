"""The columns that tables of modules and operators can have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from dispatchcount.errors import expect
from dispatchcount.render.numbers import (
    ABSENT,
    AT_LEAST,
    ESTIMATE,
    count,
    in_unit,
    nbytes,
    percent,
)
from dispatchcount.render.plain import ROOT, clean
from dispatchcount.render.select import Row
from dispatchcount.report import derived
from dispatchcount.report.metrics import BY_KEY, METRICS, Stats
from dispatchcount.report.model import ReportData
from dispatchcount.report.rows import MEMORY_KINDS, NO_MODULE

T = TypeVar("T")
CellValue = int | float | str | None
"""What a cell holds."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column over rows of type `T`.

    Attributes:
        header: what stands over it.
        value: what it holds for a row, None where there is nothing to say.
        show: writes a value that is not a string; with every digit if the flag is True.
        mark: what stands before the figure: `ESTIMATE`, `AT_LEAST` or nothing.
    """

    header: str
    value: Callable[[T], CellValue]
    show: Callable[[int | float, bool], str] = count
    mark: Callable[[T], str] = lambda _: ""

    def text(self, row: T, exact: bool) -> str:
        """The cell of a row."""
        value = self.value(row)
        if value is None:
            return ABSENT
        if isinstance(value, str):
            return clean(value)
        return self.mark(row) + self.show(value, exact)


def metric(
    name: str, stats: Callable[[T], Stats | None], gap: Callable[[T], bool], header: str = ""
) -> Column[T]:
    """The column of one metric.

    Args:
        name: the metric's key.
        stats: picks the figures from a row; None where the row has none.
        gap: says of a row if operators are missing from its figures.
        header: what stands over it, if not the metric's label.
    """

    def value(row: T) -> CellValue:
        picked = stats(row)
        return None if picked is None else getattr(picked, name)

    def mark(row: T) -> str:
        picked = stats(row)
        return marked(picked, name, gap(row))

    row = BY_KEY[name]
    column = Column(header or row.label, value, in_unit(row.unit))
    return replace(column, mark=mark) if row.estimable else column


def marked(stats: Stats | None, name: str, gap: bool) -> str:
    """The mark of a figure that an estimate is part of, or from which operators are missing."""
    row = BY_KEY[name]
    if stats is not None:
        if getattr(stats, "estimate_elementwise" if row.elementwise else "estimate"):
            return ESTIMATE
        gap |= bool(row.known_of) and getattr(stats, row.known_of) < stats.macs
    return AT_LEAST if gap else ""


def show_percent(value: int | float, exact: bool) -> str:
    """A share; it has no exact form."""
    return percent(value)


def _figures(row: Row) -> Stats | None:
    return row.stats if row.ran else None


def _own(row: Row) -> Stats | None:
    return row.stats.self_ if row.ran else None


def _gap(row: Row) -> bool:
    return row.gap


def _own_gap(row: Row) -> bool:
    return row.own_gap


def _mark(row: Row) -> str:
    return marked(row.stats, "flops", row.gap)


def _measured(row: Row) -> Stats | None:
    return row.stats if row.ran and row.total.time_ns else None


def _own_measured(row: Row) -> Stats | None:
    return row.stats.self_ if row.ran and row.total.time_ns else None


def _weighed(row: Row) -> Stats | None:
    return row.stats if row.ran and row.total.weighed_macs else None


def _own_weighed(row: Row) -> Stats | None:
    return row.stats.self_ if row.ran and row.total.weighed_macs else None


def _read(row: Row) -> Stats | None:
    return row.stats if row.total.weighed_macs or row.total.nonzero_params else None


def _self_share(row: Row) -> float | None:
    return derived.share(_own(row), row.total)


def _params_share(row: Row) -> float | None:
    return derived.part(row.stats.params, row.total.params)


def _input(row: Row) -> str | None:
    texts = [f"{shape} ×{calls:,}" if calls > 1 else shape for shape, calls in row.inputs.items()]
    return _some_shapes(texts)


def _output(row: Row) -> str | None:
    return _some_shapes(row.outputs)


def _some_shapes(texts: Sequence[str]) -> str | None:
    """The first shapes, and how many more there are; None where there is none."""
    shown = list(texts[:_MOST_SHAPES])
    if len(texts) > len(shown):
        shown.append(f"and {len(texts) - len(shown):,} more")
    return "; ".join(shown) or None


def _per_sample(name: str) -> Column[Row]:
    """The column of what one sample of the batch takes of a metric."""
    measured = BY_KEY[name].measured

    def value(row: Row) -> CellValue:
        figures = _measured(row) if measured else _figures(row)
        return derived.per_sample(None if figures is None else getattr(figures, name), row.batch)

    whole = metric(name, _figures, _gap)
    return replace(whole, header=f"{whole.header}/sample", value=value)


def _shapes(row: Row) -> str:
    texts = []
    for p in row.module.parameters:
        tied = f" = {p.tied_to}" if p.tied_to is not None else ""
        texts.append(f"{p.name.removeprefix(f'{row.module.name}.')} {p.shape}{tied}")
    return ", ".join(texts)


def _held(kind: str) -> Callable[[Row], CellValue]:
    return lambda row: None if row.memory is None else getattr(row.memory, kind)


_WEIGHED = ("nonzero_macs", "weighed_macs")
"""Metrics that are there if weights were read."""

_COUNTED = tuple(
    one.key for one in METRICS if one.additive and not one.measured and one.key not in _WEIGHED
)
"""The metrics that every operator's rule counts."""

_PER_SAMPLE = {f"{one.key}_per_sample": one.key for one in METRICS if one.additive}

_MOST_SHAPES = 2
"""Shapes of inputs or outputs that a cell names."""

MODULE_COLUMNS: dict[str, Column[Row]] = {
    "name": Column("module", lambda row: row.name),
    "path": Column("full name", lambda row: row.path or ROOT),
    "type": Column("type", lambda row: row.module.type),
    "calls": Column("calls", lambda row: row.stats.calls or None),
    "params": metric("params", lambda row: row.stats, _gap),
    **{name: metric(name, _figures, _gap) for name in _COUNTED},
    "nonzero_params": metric("nonzero_params", _read, _gap),
    **{name: metric(name, _weighed, _gap) for name in _WEIGHED},
    "share": Column("share", lambda row: row.share, show_percent),
    "time_ns": metric("time_ns", _measured, _gap),
    "flops_per_s": Column("flops/s", lambda row: derived.rate(_figures(row)), mark=_mark),
    "intensity": Column("flops/byte", lambda row: derived.intensity(_figures(row)), mark=_mark),
    "memory": Column("memory", _held("together"), nbytes),
    **{f"memory_{kind}": Column(f"memory: {kind}", _held(kind), nbytes) for kind in MEMORY_KINDS},
    "params_share": Column("% params", _params_share, show_percent),
    "trainable": Column("trainable", lambda row: row.parameters.trainable),
    "local_params": Column("local params", lambda row: row.parameters.local_params),
    "param_bytes": Column("param bytes", lambda row: row.parameters.param_bytes, nbytes),
    "shapes": Column("parameters", _shapes),
    "input": Column("input", _input),
    "output": Column("output", _output),
    **{key: _per_sample(name) for key, name in _PER_SAMPLE.items()},
    "self_share": Column("self share", _self_share, show_percent),
    "self_params": metric("params", lambda row: row.stats.self_, _own_gap, "self params"),
    "self_time_ns": metric("time_ns", _own_measured, _own_gap, "self time"),
    **{
        f"self_{name}": metric(name, _own, _own_gap, f"self {BY_KEY[name].label}")
        for name in _COUNTED
    },
    **{
        f"self_{name}": metric(name, _own_weighed, _own_gap, f"self {BY_KEY[name].label}")
        for name in _WEIGHED
    },
}
"""By the name that `Report.table` takes."""


def measured(report: ReportData) -> tuple[str, ...]:
    """The columns of time, memory and zeros, those of them that the report measured."""
    return (
        *("time_ns",) * bool(report.total.time_ns),
        *("memory",) * (report.memory is not None),
        *("nonzero_params", "nonzero_macs") * bool(report.weighed_macs),
    )


def is_per_sample(name: str) -> bool:
    """True for a column of what one sample of the batch takes."""
    return name in _PER_SAMPLE


def telling(rows: Iterable[Row], names: Iterable[str]) -> list[Row]:
    """The rows that say something.

    The row of work outside every module is left out unless it has a figure other than 0 in one of
    these columns, or a gap.
    """
    columns = [MODULE_COLUMNS[name] for name in names]

    def tells(row: Row) -> bool:
        values = [column.value(row) for column in columns]
        return row.gap or any(value for value in values if not isinstance(value, str))

    return [row for row in rows if row.module.name != NO_MODULE or tells(row)]


def pick(known: dict[str, Column[T]], names: Sequence[str], what: str) -> dict[str, Column[T]]:
    """The columns of these names.

    Args:
        known: all there are.
        names: those asked for, as a sequence or as one string with commas in between.
        what: ``"column"`` or ``"sort"``, for the message.

    Raises:
        TypeError: `names` are no names.
        ValueError: there is none of such a name; the message lists those there are.
    """
    expect(names, Iterable, f"{what}s", f"names, such as {', '.join([*known][:3])}")
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(f"{what} {name!r} is not known; it is one of {', '.join(known)}")
    return {name: known[name] for name in names}


def order(column: Column[T]) -> Callable[[T], tuple[object, ...]]:
    """A sort key: biggest numbers first, then texts from A to Z, then rows without a value."""

    def key(row: T) -> tuple[object, ...]:
        value = column.value(row)
        if value is None:
            return (2,)
        return (1, value) if isinstance(value, str) else (0, -value)

    return key

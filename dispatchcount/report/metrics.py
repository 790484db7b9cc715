"""The one table of metrics: what a report counts, and all there is to know of each figure.

A metric is one line in the body of `Stats`. Everything else follows from it: the sums (`Tally`),
the columns of tables, budgets, diffs, the JSON, CSV and DataFrame columns, OpenMetrics families,
the widths of traces, the pages. A metric that no operator has counted before also needs a field of
`dispatchcount.rules.core.cost.Cost` for the rules to fill.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from operator import add, attrgetter
from typing import Any

from dispatchcount.report.brief import Brief


@dataclass(frozen=True, slots=True)
class Metric:
    """What there is to know of one figure.

    Attributes:
        label: what stands over its column, and after it in a sentence.
        unit: what it counts; ``"bytes"`` and ``"nanoseconds"`` are written with prefixes of their
            own.
        help: one sentence, without its full stop.
        title: the label where it stands alone; by default the label with a capital letter.
        key: its field of `Stats`, and its name in files and options.
        of: where its value lies, if that is not called `key`: a field of `Cost`, ``"flops"`` (what
            the convention makes of a cost), ``"params"`` or ``"nonzero_params"`` (of modules),
            ``"calls"`` or ``"time_ns"``.
        estimable: True if rules work it out and may estimate it. Sizes of tensors are always exact.
        elementwise: True if it is work for each element, besides contractions. Its estimates are
            told by `Stats.estimate_elementwise`, those of other metrics by `Stats.estimate`.
        additive: True if the figures of all operators add up to that of the block. Parameters
            belong to modules, and what a call is differs between the rows of operators and of
            modules.
        measured: True if it comes from a clock, so that no two runs share it.
        option: the option of `profile` that asks for it; it is 0 in reports of blocks without it.
        parts: the fields of `Stats` that it is the sum of; a metric of the table is its own only
            part.
        part_of: the key of the one of `SUMS` that it is a part of, if it is.
        known_of: the key of the metric that says of how many MACs it is known. If those are fewer
            than all MACs, the figure is a lower bound.
    """

    label: str
    unit: str
    help: str
    title: str = ""
    key: str = ""
    of: str = ""
    estimable: bool = False
    elementwise: bool = False
    additive: bool = True
    measured: bool = False
    option: str = ""
    parts: tuple[str, ...] = ()
    part_of: str = ""
    known_of: str = ""

    def value(self, stats: Stats) -> int:
        """The figure on a row."""
        if len(self.parts) == 1:  # of nearly all metrics, and a third of the time of a sum
            one: int = getattr(stats, self.parts[0])
            return one
        return sum(getattr(stats, part) for part in self.parts)


def _metric(label: str, unit: str, help: str, **more: Any) -> Any:
    """A field of `Stats` that holds a metric."""
    return field(default=0, metadata={"metric": Metric(label, unit, help, **more)})


@dataclass(frozen=True, slots=True, repr=False)
class Stats(Brief):
    """Totals of a module, operator, phase or dtype under a convention. Every metric is an int.

    Attributes:
        estimate: True if an estimate is part of `flops` (or of another metric that has no other
            flag).
        estimate_elementwise: True if one is part of `arithmetic` or `transcendentals`.
        self_: what a module did without its children; None on rows that are not a module's. It is
            left out of the `repr`, as are zeros.
    """

    flops: int = _metric(
        "flops",
        "flops",
        "Floating point operations under the report's convention",
        title="FLOPs",
        estimable=True,
    )
    macs: int = _metric(
        "MACs",
        "MACs",
        "Multiply-accumulates of contractions: a multiply and the add that takes its product",
        estimable=True,
    )
    arithmetic: int = _metric(
        "arithmetic",
        "operations",
        "Every other add, multiply, compare, minimum or maximum, per element",
        estimable=True,
        elementwise=True,
    )
    transcendentals: int = _metric(
        "transcendentals",
        "operations",
        "exp, log, tanh, erf, sqrt, pow, sin and the like, per element",
        estimable=True,
        elementwise=True,
    )
    activations: int = _metric(
        "activations",
        "elements",
        "Elements of the outputs of convolutions, matrix products and the kernels built of them",
    )
    params: int = _metric(
        "params", "elements", "Elements of the parameters, a tied tensor once", additive=False
    )
    bytes_read: int = _metric(
        "bytes read",
        "bytes",
        "Bytes of the operands of operators that touch memory",
        part_of="bytes",
    )
    bytes_written: int = _metric(
        "bytes written",
        "bytes",
        "Bytes of the results of operators that touch memory",
        part_of="bytes",
    )
    calls: int = _metric("calls", "calls", "Calls of operators, or of the module", additive=False)
    time_ns: int = _metric(
        "time",
        "nanoseconds",
        "Nanoseconds inside the operators' calls while profiled, 0 where time was not measured",
        measured=True,
        option="time",
    )
    masked_macs: int = _metric(
        "masked MACs",
        "MACs",
        "MACs of attention scores that the call itself masks: is_causal, a window, a block mask",
        estimable=True,
    )
    recomputed_macs: int = _metric(
        "recomputed MACs",
        "MACs",
        "MACs with which a fused backward forms again what its forward formed and did not keep",
        estimable=True,
    )
    bops: int = _metric(
        "bops",
        "bit operations",
        "Bit operations of MACs: each counts the bits of one factor times those of the other",
        title="BOPs",
        estimable=True,
        known_of="sized_macs",
    )
    sized_macs: int = _metric(
        "sized MACs",
        "MACs",
        "MACs whose factors have a width that is known, which are those that bops count",
        estimable=True,
    )
    payload_bytes: int = _metric(
        "payload",
        "bytes",
        "Bytes of the whole that a collective is about: its input or its output, as its row says",
    )
    wire_bytes: int = _metric(
        "wire bytes",
        "bytes",
        "Bytes that pass this rank's link in one direction because of collectives, by the ring",
    )
    nonzero_params: int = _metric(
        "non-zero params",
        "elements",
        "Elements of the parameters that are not zero, where profile(nonzero=True) read them",
        title="Non-zero params",
        additive=False,
        option="nonzero",
    )
    nonzero_macs: int = _metric(
        "non-zero MACs",
        "MACs",
        "MACs that do not multiply with a weight that is zero, where the weights were read",
        title="Non-zero MACs",
        estimable=True,
        known_of="weighed_macs",
        option="nonzero",
    )
    weighed_macs: int = _metric(
        "weighed MACs",
        "MACs",
        "MACs of which it is known if they multiply with a weight that is zero",
        estimable=True,
        option="nonzero",
    )
    estimate: bool = False
    estimate_elementwise: bool = False
    self_: Stats | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        """The figures that are not 0, every digit, for a notebook's cell."""
        figures = {metric.label: metric.value(self) for metric in METRICS}
        rows = [
            f'<tr><td style="text-align:left">{label}</td><td>{figure:,}</td></tr>'
            for label, figure in figures.items()
            if figure
        ]
        return f"<table>{''.join(rows)}</table>"

    @property
    def total(self) -> Stats:
        """This row itself: the figures on it include the children's."""
        return self

    def __add__(self, other: Stats) -> Stats:
        """Field by field; `self_` is dropped, for a sum of rows is not a module."""
        row: list[Any] = [
            *map(add, values(self), values(other)),
            self.estimate or other.estimate,
            self.estimate_elementwise or other.estimate_elementwise,
        ]
        return Stats(*row)


def _row(key: str, metric: Metric) -> Metric:
    title = metric.title or metric.label[0].upper() + metric.label[1:]
    return replace(
        metric,
        key=key,
        title=title,
        of=metric.of or key,
        parts=metric.parts or (key,),
    )


METRICS = tuple(
    _row(one.name, one.metadata["metric"]) for one in fields(Stats) if "metric" in one.metadata
)
"""The table, in the order of the fields of `Stats`."""

KEYS = tuple(metric.key for metric in METRICS)
"""The integer fields of `Stats`, in order."""

BY_KEY = dict(zip(KEYS, METRICS, strict=True))
"""Each metric by its key."""

values = attrgetter(*KEYS)
"""The figures of a row, in the order of `METRICS`."""

ELEMENTWISE = tuple(metric.of for metric in METRICS if metric.elementwise)
"""The fields of `Cost` that count work for each element."""

COMPARED = tuple(metric for metric in METRICS if not metric.measured)
"""The metrics in which two runs of one model are the same."""


def options_of(total: Stats) -> set[str]:
    """The options of `profile` that a block was asked for, as far as its figures tell."""
    return {metric.option for metric in METRICS if metric.option and metric.value(total)}


def in_both(metrics: Iterable[Metric], old: Stats, new: Stats) -> tuple[Metric, ...]:
    """Those of the metrics in which two blocks can be compared.

    A metric that an option of `profile` asks for is 0 in the report of a block without it. That 0
    is no figure, so a metric that one of two blocks alone was asked for is left out.

    Args:
        metrics: some metrics of the table.
        old: the total of one block.
        new: the total of the other.
    """
    alone = options_of(old) ^ options_of(new)
    return tuple(metric for metric in metrics if metric.option not in alone)


KNOWN_OF = frozenset(metric.known_of for metric in METRICS if metric.known_of)
"""Keys of the metrics that only say of how much work another metric is known."""

BYTES = _row(
    "bytes",
    Metric(
        "bytes",
        "bytes",
        "Bytes read plus bytes written: element size times elements of each operand and result",
        parts=tuple(metric.key for metric in METRICS if metric.part_of == "bytes"),
    ),
)
"""Bytes that operators move, whichever way."""

SUMS = {BYTES.key: BYTES}
"""Sums of metrics of one kind, by key."""

CONDENSED = tuple(dict.fromkeys(SUMS.get(metric.part_of, metric) for metric in METRICS))
"""The table with each of `SUMS` in place of its parts: for where one figure of a kind must do."""

SPENT = {metric.key: metric for metric in CONDENSED if metric.additive}
"""What operators spend, by key: whatever adds up along a run, so that a trace can be as wide."""

"""The reports of a job's ranks side by side: sums, spreads, and what several ranks do alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import pstdev
from typing import Generic, TypeVar

from dispatchcount.errors import expect
from dispatchcount.report.brief import Brief
from dispatchcount.report.memory_totals import memory_totals
from dispatchcount.report.merge import merge
from dispatchcount.report.metrics import KEYS, SUMS
from dispatchcount.report.model import ReportData
from dispatchcount.report.parameter_totals import parameter_totals
from dispatchcount.report.redundancy import redundancy, with_distinct
from dispatchcount.report.rows import MEMORY_KINDS, Memory

R = TypeVar("R", bound=ReportData)

LOCAL_PARAMS = "local_params"
"""The figure of the parameters that a rank holds, besides the metrics of `Stats`."""

HELD = {f"memory_{kind}": kind for kind in MEMORY_KINDS}
"""The figures of the bytes that a rank holds, and the field of `ModuleMemory` of each."""

RANK, WORLD_SIZE = "rank", "world_size"
"""The labels by which a report says whose it is."""

PLANNED = "planned"
"""The label by which a report says that it is of a plan: no rank ran it, and none failed to."""


@dataclass(frozen=True, slots=True, repr=False)
class Spread(Brief):
    """One figure over the ranks whose reports there are.

    Attributes:
        ranks: the ranks, in ascending order.
        values: the figure of each, 0 where a rank does not have the module.
    """

    ranks: tuple[int, ...]
    values: tuple[int, ...]

    @property
    def sum(self) -> int:
        """Of all ranks together."""
        return sum(self.values)

    @property
    def mean(self) -> float:
        """Of one rank."""
        return self.sum / len(self.values)

    @property
    def min(self) -> int:
        """The least that a rank has."""
        return min(self.values)

    @property
    def max(self) -> int:
        """The most that a rank has."""
        return max(self.values)

    @property
    def std(self) -> float:
        """The standard deviation of the population."""
        return pstdev(self.values)

    @property
    def slowest(self) -> int:
        """The first rank that has the most. All others wait for it, where ranks are alike."""
        return self.ranks[self.values.index(self.max)]

    @property
    def imbalance(self) -> float | None:
        """The most over the mean: 1 if all ranks have the same, None if none has anything.

        A job that waits for its slowest rank takes so many times as long as an even one would.
        """
        return self.max / self.mean if self.sum else None


@dataclass(frozen=True, slots=True, repr=False)
class Heat(Brief):
    """What a heat map of a job is drawn from: a row for each module, a column for each rank.

    Attributes:
        metric: what the values are.
        modules: names of the modules, a module before those below it.
        ranks: the ranks.
        values: for each module, the figure of each rank.
    """

    metric: str
    modules: tuple[str, ...]
    ranks: tuple[int, ...]
    values: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, repr=False)
class RanksData(Brief, Generic[R]):
    """The reports of a job, one for each rank that gave one.

    Attributes:
        world: how many ranks the job has.
        ranks: those whose reports there are, in ascending order.
        reports: their reports, in the same order.
    """

    world: int
    ranks: tuple[int, ...]
    reports: tuple[R, ...]

    def __post_init__(self) -> None:
        if not self.reports:
            raise ValueError("there is no report of any rank")
        if len(self.ranks) != len(self.reports):
            raise ValueError(f"{len(self.ranks)} ranks are given and {len(self.reports)} reports")
        known = range(self.world)
        if list(self.ranks) != sorted(set(self.ranks)) or not set(self.ranks) <= set(known):
            raise ValueError(
                f"the ranks are {list(self.ranks)}; each must be there once, in order, from 0 to "
                f"{self.world - 1}"
            )

    @property
    def missing(self) -> tuple[int, ...]:
        """The ranks whose reports are not there."""
        return tuple(rank for rank in range(self.world) if rank not in set(self.ranks))

    @property
    def planned(self) -> bool:
        """True if all reports are of plans: ranks without one were not asked for."""
        return all(PLANNED in report.labels for report in self.reports)

    def of(self, rank: int) -> R:
        """The report of a rank.

        Raises:
            KeyError: there is none of it.
        """
        if rank not in self.ranks:
            raise KeyError(f"there is no report of rank {rank}; there are {list(self.ranks)}")
        return self.reports[self.ranks.index(rank)]

    @cached_property
    def sum(self) -> R:
        """All ranks as one report, as `Report.merge` makes it: work adds up, parameters do not.

        Raises:
            ValueError: the conventions of the reports differ.
        """
        return merge(self.reports, make=type(self.reports[0]))

    def spread(self, metric: str = "flops") -> Spread:
        """A total over the ranks.

        Args:
            metric: a field of `Stats`, ``"bytes"``, ``"local_params"``, or the bytes that a rank
                holds: ``"memory_parameters"``, ``"memory_gradients"``, ``"memory_optimizer"``,
                ``"memory_saved"``.

        Raises:
            ValueError: there is no such metric, or no bytes were followed.
        """
        return Spread(self.ranks, tuple(_total(report, metric) for report in self.reports))

    def by_module(self, metric: str = "flops") -> dict[str, Spread]:
        """A figure of every module over the ranks, with what the modules below it did.

        Args:
            metric: as of `spread`.

        Raises:
            ValueError: there is no such metric.
        """
        rows = [figures(report, metric) for report in self.reports]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: Spread(self.ranks, tuple(row.get(name, 0) for row in rows)) for name in names}

    def heat(self, metric: str = "flops") -> Heat:
        """What a heat map by module and rank is drawn from; `metric` as of `spread`."""
        rows = self.by_module(metric)
        values = tuple(spread.values for spread in rows.values())
        return Heat(metric, tuple(rows), self.ranks, values)

    def redundancy(
        self,
        logical: ReportData | None = None,
        metric: str = "macs",
        *,
        distinct: Mapping[str, int] | None = None,
    ) -> dict[str, float | None]:
        """How many times over the ranks together hold or do what there is once, by module.

        It is the sum of the ranks' local figures over the logical figure, which is ranks · local ÷
        logical where all ranks have the same: 1 for what is spread over the ranks, and the number
        of ranks for what each does whole. None where there is nothing.

        Args:
            logical: a report of the same step on one device, with the batches of all ranks
                together. Without it, elements of parameters are compared: those that the ranks hold
                with those that the model has.
            metric: what of `logical` is compared with, as of `spread`.
            distinct: how many different modules the ranks hold under a name, for parameters
                compared without `logical`: ``{"layers.0.experts": 4}`` where each of 4 ranks has
                experts of its own. Parameters of one name are else taken for one parameter.

        Raises:
            ValueError: there is no such metric, ranks are missing, `distinct` names no module, or
                is given besides `logical`, in which all modules are.
        """
        give = "a report of the same step on one device"
        expect(logical, (ReportData, type(None)), "logical", give)
        expect(distinct or {}, Mapping, "distinct", "how many by name: distinct={'experts': 4}")
        if self.missing:
            raise ValueError(f"reports are missing of ranks {list(self.missing)}")
        if logical is not None:
            if distinct:
                raise ValueError("distinct goes without logical, in which every module has a name")
            whole = figures(logical, metric)
            local = self.by_module(metric)
        else:
            whole, local = {}, self.by_module(LOCAL_PARAMS)
            for report in self.reports:
                whole = figures(report, "params") | whole
            whole = with_distinct(whole, distinct or {})
        return redundancy({name: spread.sum for name, spread in local.items()}, whole)


def _total(report: ReportData, metric: str) -> int:
    """A figure of a whole report.

    Raises:
        ValueError: there is no such metric, or the report has no bytes held.
    """
    if metric == LOCAL_PARAMS:
        return report.local_params
    if metric in HELD:
        held: int = getattr(_memory(report), HELD[metric])
        return held
    return sum(getattr(report.total, key) for key in _keys(metric))


def figures(report: ReportData, metric: str) -> dict[str, int]:
    """A figure of every module of a report, with those below it.

    Raises:
        ValueError: there is no such metric, or the report has no bytes held.
    """
    if metric == LOCAL_PARAMS:
        held = [row.local_params for row in parameter_totals(report)]
    elif metric in HELD:
        _memory(report)
        held = [getattr(row, HELD[metric]) for row in memory_totals(report)]
    else:
        keys = _keys(metric)
        rows = report.by_module().items()
        return {name: sum(getattr(stats, key) for key in keys) for name, stats in rows}
    return {module.name: value for module, value in zip(report.modules[1:], held[1:], strict=True)}


def _keys(metric: str) -> tuple[str, ...]:
    """The fields of `Stats` that a metric is the sum of."""
    if metric not in KEYS and metric not in SUMS:
        known = ", ".join((*KEYS, *SUMS, LOCAL_PARAMS, *HELD))
        raise ValueError(f"metric {metric!r} is not known; it is one of {known}")
    return SUMS[metric].parts if metric in SUMS else (metric,)


def _memory(report: ReportData) -> Memory:
    if report.memory is None:
        raise ValueError("the reports do not have the bytes held; use profile(memory=True)")
    return report.memory


def by_rank(reports: Iterable[R]) -> tuple[int, tuple[int, ...], tuple[R, ...]]:
    """The world's size, the ranks and the reports in the order of ranks.

    Whose a report is, its labels ``rank`` and ``world_size`` say. If none has such labels, the
    first report is rank 0's, the second rank 1's, and so on.

    Raises:
        ValueError: there is no report, or labels are missing in some or contradict each other.
    """
    given = list(reports)
    labels = [report.labels for report in given]
    if not any(RANK in label for label in labels):
        return len(given), tuple(range(len(given))), tuple(given)
    try:
        ranks = [int(label[RANK]) for label in labels]
    except (KeyError, ValueError):
        found = [label.get(RANK) for label in labels]
        raise ValueError(
            f"the reports' labels say that their ranks are {found}; give every report a number as "
            "its label 'rank', or none of them one"
        ) from None
    order = sorted(range(len(given)), key=ranks.__getitem__)
    sizes = [int(size) for label in labels if (size := label.get(WORLD_SIZE, "")).isdecimal()]
    world = max([*sizes, max(ranks) + 1])
    return world, tuple(ranks[i] for i in order), tuple(given[i] for i in order)

"""What changed between two reports: what was added, removed, renamed, or is of another cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dispatchcount.report.brief import Brief
from dispatchcount.report.budget import Breach, Limit, growth
from dispatchcount.report.metrics import COMPARED, METRICS, Metric, Stats, in_both, options_of
from dispatchcount.report.model import ReportData

R = TypeVar("R", bound=ReportData)
D = TypeVar("D")

ADDED, REMOVED, RENAMED, CHANGED = CHANGES = ("added", "removed", "renamed", "changed")

_NOTHING = Stats()

_SHOWN = {"nonzero": "non-zero weights"}
"""What an option of `profile` measures, where its name is not a word for that."""


@dataclass(frozen=True, slots=True, repr=False)
class Change(Brief):
    """One module or operator that is not what it was.

    Attributes:
        kind: ``"module"`` or ``"operator"``.
        change: one of `CHANGES`.
        name: what it is called now, or was if it is gone.
        old_name: what it was called, where it was renamed.
        type: the module's class; ``""`` for an operator.
        old, new: its figures; zeros where it was not there.
    """

    kind: str
    change: str
    name: str
    type: str = ""
    old_name: str | None = None
    old: Stats = _NOTHING
    new: Stats = _NOTHING

    def delta(self, metric: str) -> int:
        """How much `metric` grew."""
        grown: int = getattr(self.new, metric) - getattr(self.old, metric)
        return grown

    def percent(self, metric: str) -> float | None:
        """How much `metric` grew in percent of what it was; None where it was 0."""
        before = getattr(self.old, metric)
        return 100 * self.delta(metric) / before if before else None


@dataclass(frozen=True, repr=False)
class DiffData:
    """Two reports compared under the older one's convention; `dispatchcount.Diff` shows it.

    Attributes:
        old: the report that is compared with.
        new: the other, under the convention of `old`.
        rows: modules, then operators, that changed, each with the biggest change of flops first.
    """

    old: ReportData
    new: ReportData
    rows: tuple[Change, ...]

    @property
    def modules(self) -> tuple[Change, ...]:
        """The modules that changed."""
        return tuple(row for row in self.rows if row.kind == "module")

    @property
    def operators(self) -> tuple[Change, ...]:
        """The operators that changed."""
        return tuple(row for row in self.rows if row.kind == "operator")

    @property
    def uncompared(self) -> tuple[str, ...]:
        """A sentence for each thing that one report alone measured, so that it is not compared."""
        old, new = (
            options_of(report.total) | ({"memory"} if report.memory is not None else set())
            for report in (self.old, self.new)
        )
        return tuple(
            f"the {'new' if option in new else 'old'} report alone has {_SHOWN.get(option, option)}"
            for option in sorted(old ^ new)
        )

    @property
    def total(self) -> Change:
        """The whole blocks against each other."""
        return Change("total", CHANGED, "total", old=self.old.total, new=self.new.total)

    def over(self, limits: str | Mapping[str, str | int] | tuple[Limit, ...]) -> tuple[Breach, ...]:
        """The totals that grew by more than `limits` allow: ``"flops=1%,params=0"``.

        Raises:
            dispatchcount.errors.UsageError: a limit cannot be read.
        """
        return growth(self.old, self.new, limits)

    def __bool__(self) -> bool:
        """True if anything changed."""
        return bool(self.rows) or any(
            self.total.delta(metric.key) for metric in metrics_of(self.old, self.new)
        )


def metrics_of(old: ReportData, new: ReportData) -> tuple[Metric, ...]:
    """What two reports are compared in: all but times, and what one alone was asked for."""
    return in_both(COMPARED, old.total, new.total)


def diff(old: R, new: R, *, make: Callable[[R, R, tuple[Change, ...]], D]) -> D:
    """What changed from `old` to `new`, as a diff of the class `make`."""
    new = new.with_convention(old.convention)
    types_old = {module.name: module.type for module in old.modules}
    types_new = {module.name: module.type for module in new.modules}
    metrics = metrics_of(old, new)
    modules = _changes("module", metrics, old.by_module(), new.by_module(), types_old, types_new)
    operators = _changes("operator", metrics, old.by_operator(), new.by_operator(), {}, {})
    return make(
        old,
        new,
        (*sorted(_outermost(modules), key=change_size), *sorted(operators, key=change_size)),
    )


def _changes(
    kind: str,
    metrics: tuple[Metric, ...],
    old: dict[str, Stats],
    new: dict[str, Stats],
    types_old: dict[str, str],
    types_new: dict[str, str],
) -> list[Change]:
    renamed = _renamed(
        {name: (types_old.get(name, ""), row) for name, row in old.items() if name not in new},
        {name: (types_new.get(name, ""), row) for name, row in new.items() if name not in old},
        metrics,
        only_costly=kind == "operator",
    )
    gone = set(renamed.values())
    rows = []
    for name, row in new.items():
        if name in old:
            same_type = types_old.get(name) == types_new.get(name)
            if not same_type or compared(old[name], metrics) != compared(row, metrics):
                rows.append(
                    Change(kind, CHANGED, name, types_new.get(name, ""), None, old[name], row)
                )
        elif name in renamed:
            rows.append(
                Change(
                    kind,
                    RENAMED,
                    name,
                    types_new.get(name, ""),
                    renamed[name],
                    old[renamed[name]],
                    row,
                )
            )
        else:
            rows.append(Change(kind, ADDED, name, types_new.get(name, ""), new=row))
    rows += [
        Change(kind, REMOVED, name, types_old.get(name, ""), old=row)
        for name, row in old.items()
        if name not in new and name not in gone
    ]
    return rows


def compared(row: Stats, metrics: tuple[Metric, ...]) -> tuple[int, ...]:
    """The figures of a row in which two reports are compared."""
    return tuple(metric.value(row) for metric in metrics)


def _renamed(
    old: dict[str, tuple[str, Stats]],
    new: dict[str, tuple[str, Stats]],
    metrics: tuple[Metric, ...],
    *,
    only_costly: bool,
) -> dict[str, str]:
    """Which new name stands for which old one: those of the same type and figures.

    Each old name is taken once. Where several fit, the one that a renamed parent leads to is taken;
    otherwise they are taken in their order.
    """
    free: dict[tuple[str, tuple[int, ...]], dict[str, None]] = {}
    for name, (type_, row) in old.items():
        if not only_costly or any(metric.value(row) for metric in METRICS if metric.estimable):
            free.setdefault((type_, compared(row, metrics)), {})[name] = None
    found: dict[str, str] = {}
    for name, (type_, row) in new.items():
        names = free.get((type_, compared(row, metrics)))
        if not names:
            continue
        parent, _, last = name.rpartition(".")
        expected = f"{found.get(parent, parent)}.{last}"
        found[name] = expected if expected in names else next(iter(names))
        del names[found[name]]
    return found


def _outermost(rows: list[Change]) -> list[Change]:
    """The rows without those whose being renamed follows from a parent's being renamed."""
    renamed = {row.name: row.old_name for row in rows if row.change == RENAMED}
    kept = []
    for row in rows:
        parent, _, last = row.name.rpartition(".")
        if (
            row.change == RENAMED
            and parent in renamed
            and row.old_name == f"{renamed[parent]}.{last}"
        ):
            continue
        kept.append(row)
    return kept


def change_size(row: Change) -> tuple[int, int, int, int, int]:
    """Puts the biggest change of flops first, of equal ones that of parameters, and so on."""
    flops, params, activations = (
        abs(row.delta(metric)) for metric in ("flops", "params", "activations")
    )
    return -flops, -params, -activations, -abs(row.delta("calls")), CHANGES.index(row.change)

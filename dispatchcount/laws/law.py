"""`LawData`: exact formulas of what a piece of code costs, in the sizes of its inputs. Frozen plain
data, without torch. `law_api.py` adds what shows, saves and changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from dispatchcount.errors import LawError
from dispatchcount.laws import views
from dispatchcount.laws.by_metric import ByMetric
from dispatchcount.laws.domain import Domain
from dispatchcount.laws.figures import FIGURES, LawStats
from dispatchcount.laws.observed import Key, ModuleRow
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.laws.row import NOT_COUNTED, LawRow, columns_of
from dispatchcount.laws.special import special
from dispatchcount.report.conventions import find_convention

L = TypeVar("L", bound="LawData")


@dataclass(frozen=True, slots=True)
class Formulas:
    """A row: its key, and for each column that is not 0 the index of a polynomial in
    `LawData.polynomials`.
    """

    key: Key
    columns: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RowNote:
    """What there is to say of one row and column: why it has no formula, or why it is an
    estimate.
    """

    key: Key
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class LawMeta:
    """What a law was made of.

    Attributes:
        model: class names of the roots.
        training: True if the first root was in train mode; None without a root.
        torch, dispatchcount: their versions.
        devices: where the tensors were.
    """

    model: str = ""
    training: bool | None = None
    torch: str = ""
    dispatchcount: str = ""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class LawData(ByMetric):
    """Formulas by module, operator and phase. Made by `dispatchcount.law`.

    Attributes:
        sizes: the names, in the order of the polynomials' exponents.
        start: the sizes that the law was asked for.
        convention: name of the convention that `flops` follows.
        modules: the module table, each module after the one that holds it.
        polynomials: the distinct ones.
        rows: which polynomials each module, operator and phase has.
        domains: where the formulas of a column hold.
        operator_domains: the same for rows of single operators, for the columns in which those need
            more: with a batch of 1 the same product may run as another operator.
        refusals: rows without a formula.
        estimates: rows whose formula is that of a published estimate or of an upper bound; figures
            they are part of are marked.
        checked: sizes at which the law was compared with a run that it was not made from.
        runs: how many runs it took.
        meta: what it was made of.
        altered: what views such as `causal` changed, one sentence each.
    """

    sizes: tuple[str, ...]
    start: Mapping[str, int]
    convention: str
    modules: tuple[ModuleRow, ...]
    polynomials: tuple[Polynomial, ...]
    rows: tuple[Formulas, ...]
    domains: Mapping[str, Domain]
    operator_domains: Mapping[str, Domain] = field(default_factory=dict)
    refusals: tuple[RowNote, ...] = ()
    estimates: tuple[RowNote, ...] = ()
    checked: tuple[Mapping[str, int], ...] = ()
    runs: int = 0
    meta: LawMeta = field(default_factory=LawMeta)
    altered: tuple[str, ...] = ()

    # The whole

    @cached_property
    def total(self) -> LawRow:
        """The formulas of everything the code did; `calls` counts operator calls."""
        return views.total(self)

    def polynomial(self, metric: str) -> Polynomial:
        """The formula of a metric of the whole.

        Raises:
            LawError: a part of it has none; the message names the part and says why.
            ValueError: there is no such metric.
        """
        return self.total.polynomial(metric)

    # By part

    @cached_property
    def _by_module(self) -> dict[str, LawRow]:
        return views.by_module(self)

    def by_module(self) -> dict[str, LawRow]:
        """Every module's formulas, ``""`` for the root; `self_` on each row is its own part."""
        return dict(self._by_module)

    def by_operator(self) -> dict[str, LawRow]:
        """The formulas by operator, ``"aten.addmm"``."""
        return views.by_operator(self)

    def by_module_and_operator(self) -> dict[str, dict[str, LawRow]]:
        """For each module its formulas by operator, those of the modules in it included."""
        return views.by_module_and_operator(self)

    def by_phase(self) -> dict[str, LawRow]:
        """The formulas by phase: forward, backward, recompute, optimizer, those that occurred."""
        return views.by_phase(self)

    def by_call(self, name: str) -> dict[str, LawRow]:
        """One module's formulas by the stack of modules that called it, ``"(root) > encoder"``.
        Most modules have one; an embedding that encoder and decoder share has two.

        Raises:
            KeyError: the law has no such module.
        """
        return views.by_call(self, name)

    # At given sizes

    def __call__(self, **sizes: int) -> LawStats:
        """Exact figures at given sizes: ``law(b=8, s=4096).flops``.

        A metric that has no formula at these sizes, while the flops have, raises `LawError` when it
        is asked for.

        Raises:
            LawError: the flops' formula does not hold there; the message says which sizes it holds
                for.
            TypeError: a size is missing, is no integer, or is none of the law's.
        """
        return self.total.at(self.inside(sizes))

    def inside(self, sizes: Mapping[str, int]) -> Mapping[str, int]:
        """`sizes`, if they are the law's and the flops' formula holds there.

        Raises:
            LawError, TypeError: as for a call of the law.
        """
        if set(sizes) != set(self.sizes):
            raise TypeError(
                f"the law is in the sizes {', '.join(self.sizes)}; got {', '.join(sizes) or 'none'}"
            )
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int):
                raise TypeError(f"{name} = {size!r}: a size is an integer from 1 up")
        reason = self.reason(columns_of("flops", self.convention), sizes)
        if reason:
            if self.convention != "macs" and not self.reason(["macs"], sizes):
                reason += " (the MACs have a formula there: with_convention('macs'))"
            raise LawError(reason)
        return sizes

    def reason(
        self, columns: Iterable[str], point: Mapping[str, int], *, of_operator: bool = False
    ) -> str:
        """Why the formulas of `columns` do not hold at `point`; ``""`` where they do.
        `of_operator`: those of an operator's row.
        """
        for column in columns:
            if column not in self.domains:
                return NOT_COUNTED
            domain = self.domains[column]
            if of_operator:
                domain = self.operator_domains.get(column, domain)
            reason = domain.reason(point)
            if reason:
                return reason
        return ""

    # Where it holds

    def domain(self, metric: str = "flops") -> Domain:
        """Where the formulas of a metric hold.

        Raises:
            ValueError: there is no such metric.
        """
        whole = Domain(())
        for column in columns_of(metric, self.convention):
            whole &= self.domains.get(column, Domain(()))
        return whole

    @property
    def holds(self) -> dict[str, str]:
        """The condition on each size, ``{"h": "h ≡ 0 mod 32", "b": "b ≥ 1"}``, for the flops."""
        return self.domain().holds(self.sizes)

    @cached_property
    def special(self) -> dict[str, tuple[str, ...]]:
        """Sizes at which some metrics have no formula although the flops have: ``{"b = 1":
        ("bytes_read",)}``.
        """
        return special(self)

    @property
    def refused(self) -> dict[tuple[str, str], str]:
        """The modules and metrics that have no formula at all, with the reason."""
        return {
            (r.key.module, "flops" if r.column == "fvcore" else r.column): r.reason
            for r in reversed(self.refusals)
        }

    # Other views

    def with_convention(self: L, name: str) -> L:
        """The same law under another convention: ``"fvcore"``, ``"macs"``, ``"torch"`` or
        ``"full"``.

        Raises:
            ValueError: there is no convention of that name.
        """
        return replace(self, convention=find_convention(name).name)

    def marginal(self, size: str, metric: str = "flops") -> Polynomial:
        """What the next allowed value of one size adds: ``law(s + 1) − law(s)`` for a law that
        holds for every s.

        Raises:
            LawError: the metric has no formula.
            ValueError: there is no such size or metric.
        """
        if size not in self.sizes:
            raise ValueError(f"{size!r} is no size of the law; it is in {', '.join(self.sizes)}")
        formula = self.total.polynomial(metric)
        steps = [r.step for r in self.domain(metric).ranges if r.size == size]
        return formula.shifted(size, max(steps, default=1)) - formula

    def metrics(self) -> list[str]:
        """The metrics that occur: those with a formula that is not 0, and those without one."""
        refused = self.total.refused
        return [m for m in FIGURES if m in refused or self.total.polynomial(m)]

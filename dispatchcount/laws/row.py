"""One row of a law: the formulas of a module, an operator, a phase or the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from dispatchcount.errors import LawError
from dispatchcount.laws.by_metric import ByMetric
from dispatchcount.laws.figures import FIGURES, LawStats
from dispatchcount.laws.polynomial import Exponents, Polynomial
from dispatchcount.report.conventions import find_convention

if TYPE_CHECKING:
    from dispatchcount.laws.law import LawData


def columns_of(metric: str, convention_name: str, *, of_module: bool = False) -> tuple[str, ...]:
    """The columns that a metric is made of under a convention.

    Raises:
        ValueError: there is no such metric, or no such convention.
    """
    if metric not in FIGURES:
        raise ValueError(f"{metric!r} is no metric of a law; it is one of {', '.join(FIGURES)}")
    if metric == "params":
        return ()
    if metric == "calls":
        return ("module_calls",) if of_module else ("calls",)
    if metric != "flops":
        return (metric,)
    return tuple(column for column, _ in find_convention(convention_name).counts)


NOT_COUNTED = "the law is of a dispatchcount that did not count it"
"""Why a metric has no formula in a law from an older file."""


@dataclass
class Sums:
    """What adds up to a row: how often each polynomial of the law occurs in each column, and what
    has none.
    """

    counts: dict[str, Counter[int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    estimated: set[str] = field(default_factory=set)
    params: int = 0

    def add(self, other: Sums, but: str = "") -> None:
        """Add another row's columns but one; the first reason for a refusal is kept. Parameters are
        left to the caller.
        """
        for column, counts in other.counts.items():
            if column != but:
                self.counts.setdefault(column, Counter()).update(counts)
        self.estimated |= other.estimated
        for column, reason in other.refused.items():
            if column != but:
                self.refused.setdefault(column, reason)


class LawRow(ByMetric):
    """Formulas by metric: ``.flops``, ``.macs``, ``.arithmetic``, ``.bytes_read`` … each is a
    `Polynomial`.

    A metric that has a part without a formula raises `LawError` with the reason: a sum of the other
    parts is never shown as the whole. Called with sizes, a row gives exact figures, ``row(b=8,
    s=4096).macs``.
    """

    def __init__(
        self,
        law: LawData,
        sums: Sums,
        *,
        of_module: bool = False,
        of_operator: bool = False,
        own: Sums | None = None,
    ) -> None:
        self._law, self._sums, self._of_module = law, sums, of_module
        self._of_operator = of_operator
        self._own = own
        self._known: dict[str, Polynomial] = {}

    @property
    def refused(self) -> dict[str, str]:
        """The metrics that have no formula, with the reason."""
        found: dict[str, str] = {}
        for metric in FIGURES:
            reason = self._refused(metric)
            if reason:
                found[metric] = reason
        return found

    def _refused(self, metric: str) -> str:
        for column in self._columns(metric):
            if column not in self._law.domains:
                return NOT_COUNTED
            if column in self._sums.refused:
                return self._sums.refused[column]
        return ""

    @cached_property
    def self_(self) -> LawRow:
        """Of a module: what it does itself, without the modules in it."""
        if self._own is None:
            raise AttributeError("only the row of a module has a part of its own (self_)")
        return LawRow(self._law, self._own, of_module=True)

    def polynomial(self, metric: str) -> Polynomial:
        """The formula of a metric.

        Raises:
            LawError: a part of it has none; the message names the part and says why.
            ValueError: there is no such metric.
        """
        if metric in self._known:
            return self._known[metric]
        columns = self._columns(metric)
        reason = self._refused(metric)
        if reason:
            raise LawError(f"{metric} has no formula: {reason}")
        if metric == "params":
            found = Polynomial.constant(self._law.sizes, self._sums.params)
        elif metric == "flops":
            found = Polynomial(self._law.sizes)
            for column, flops_of_one in find_convention(self._law.convention).counts:
                found += self._sum(column) * flops_of_one
        else:
            found = self._sum(columns[0])
        self._known[metric] = found
        return found

    def __call__(self, **sizes: int) -> LawStats:
        """The figures at given sizes.

        Raises:
            LawError: the law does not hold there; the message says which sizes it holds for.
            TypeError: a size is missing, is no integer, or is none of the law's.
        """
        point = self._law.inside(sizes)
        return self.at(point)

    def at(self, point: Mapping[str, int]) -> LawStats:
        """The figures at sizes that are inside the domain of the flops."""
        values = [point[name] for name in self._law.sizes]
        figures: dict[str, int] = {}
        absent: dict[str, str] = {}
        for metric in FIGURES:
            reason = self._law.reason(self._columns(metric), point, of_operator=self._of_operator)
            if reason:
                absent[metric] = reason
                continue
            try:
                value = self.polynomial(metric).at(values)
            except LawError as error:
                absent[metric] = str(error)
                continue
            # A count is whole; a fraction would mean that the formula does not hold here.
            if isinstance(value, Fraction):
                absent[metric] = f"the formula gives {value}, which is no count"
            else:
                figures[metric] = value
        estimate = bool(self._sums.estimated & set(self._columns("flops")))
        return LawStats(figures, absent, estimate=estimate)

    def __str__(self) -> str:
        lines = []
        refused = self.refused
        for metric in FIGURES:
            if metric in refused:
                lines.append(f"{metric}: no formula, {refused[metric]}")
            elif self.polynomial(metric):
                lines.append(f"{metric} = {self.polynomial(metric)}")
        return "\n".join(lines) or "nothing"

    def __repr__(self) -> str:
        return f"LawRow({str(self).splitlines()[0]})"

    def _columns(self, metric: str) -> tuple[str, ...]:
        return columns_of(metric, self._law.convention, of_module=self._of_module)

    def _sum(self, column: str) -> Polynomial:
        terms: dict[Exponents, Fraction] = {}
        for number, times in self._sums.counts.get(column, {}).items():
            for exponents, coefficient in self._law.polynomials[number]:
                terms[exponents] = terms.get(exponents, Fraction()) + coefficient * times
        return Polynomial(self._law.sizes, terms)

"""`Law`: exact formulas of what a piece of code costs, in the sizes of its inputs. Frozen plain
data, without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING

from dispatchcount.errors import LawError
from dispatchcount.laws import views
from dispatchcount.laws.domain import Domain
from dispatchcount.laws.figures import FIGURES, LawStats
from dispatchcount.laws.observed import Key, ModuleRow
from dispatchcount.laws.polynomial import Polynomial
from dispatchcount.laws.row import NOT_COUNTED, LawRow, columns_of
from dispatchcount.report.conventions import find_convention

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.laws.diff import LawDiff


@dataclass(frozen=True, slots=True)
class Formulas:
    """A row: its key, and for each column that is not 0 the index of a polynomial in
    `Law.polynomials`.
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
    """What the law was made of: class names of the model, its mode, versions, where the tensors
    were.
    """

    model: str = ""
    training: bool | None = None
    torch: str = ""
    dispatchcount: str = ""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Law:
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

    @property
    def flops(self) -> Polynomial:
        """Flops under the law's convention.

        Raises:
            LawError: a part has no formula. So do the properties below.
        """
        return self.total.flops

    @property
    def macs(self) -> Polynomial:
        """Multiply-accumulates of contractions."""
        return self.total.macs

    @property
    def masked_macs(self) -> Polynomial:
        """Those of the MACs that belong to attention scores which the calls say are masked."""
        return self.total.masked_macs

    @property
    def arithmetic(self) -> Polynomial:
        """Element-wise operations besides the MACs."""
        return self.total.arithmetic

    @property
    def transcendentals(self) -> Polynomial:
        """Element-wise exp, log, tanh, sqrt and the like."""
        return self.total.transcendentals

    @property
    def activations(self) -> Polynomial:
        """Elements handed on by convolutions, matrix products and the kernels built of them."""
        return self.total.activations

    @property
    def params(self) -> Polynomial:
        """Elements of the model's parameters."""
        return self.total.params

    @property
    def bytes_read(self) -> Polynomial:
        """Bytes of operands of operators that touch memory."""
        return self.total.bytes_read

    @property
    def bytes_written(self) -> Polynomial:
        """Bytes of results of operators that touch memory."""
        return self.total.bytes_written

    @property
    def calls(self) -> Polynomial:
        """Calls of operators."""
        return self.total.calls

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
        from dispatchcount.laws.special import special

        return special(self)

    @property
    def refused(self) -> dict[tuple[str, str], str]:
        """The modules and metrics that have no formula at all, with the reason."""
        return {
            (r.key.module, "flops" if r.column == "fvcore" else r.column): r.reason
            for r in reversed(self.refusals)
        }

    # Other views

    def with_convention(self, name: str) -> Law:
        """The same law under another convention: ``"fvcore"``, ``"macs"``, ``"torch"`` or
        ``"full"``.

        Raises:
            ValueError: there is no convention of that name.
        """
        return replace(self, convention=find_convention(name).name)

    def causal(self, window: int | None = None, *, sizes: Sequence[str] | None = None) -> Law:
        """A view in which attention counts only the pairs that a causal mask leaves; see
        `laws.causal.causal`.

        Args:
            window: count at most so many keys for each query, itself included.
            sizes: the sizes that count tokens; by default every size in which attention grows with
                the square.

        Raises:
            LawError: no attention is known by name, or its square is not that of one size.
        """
        from dispatchcount.laws.causal import causal

        return causal(self, window, sizes)

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

    def packed(self, **lengths: int | Sequence[int]) -> LawStats:
        """Figures of sequences of different lengths that are packed without padding:
        ``law.packed(s=[5, 9, 30])``.

        Give a list of lengths for each size that differs, and a number for one that does not. The
        one size that is left out is the batch: each sequence counts as one item of it.

        Raises:
            LawError: a length is outside the domain. A metric with a term that is not linear in the
                batch raises when it is asked for, and names the term.
            TypeError: the sizes do not fit the law.
        """
        from dispatchcount.laws.packed import packed

        return packed(self, lengths)

    def balance(
        self, lengths: Sequence[int], bins: int, *, size: str | None = None
    ) -> list[list[int]]:
        """The indices of `lengths` in `bins` groups of nearly equal flops; see
        `laws.balance.balance`.
        """
        from dispatchcount.laws.balance import balance

        return balance(self, lengths, bins, size)

    def diff(self, other: Law) -> LawDiff:
        """The formulas that changed from this law (old) to `other` (new)."""
        from dispatchcount.laws.diff import diff

        return diff(self, other)

    # Files and text

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """The law as JSON by the schema in the package; written to `path` as well, if given."""
        from dispatchcount.laws.serialize import to_json

        return to_json(self, path)

    @staticmethod
    def from_json(source: bytes | str | PathLike[str]) -> Law:
        """A law from JSON bytes or from a file.

        Raises:
            LawError: it is no law; the message says what is wrong, and where.
        """
        from dispatchcount.laws.serialize import from_json

        return from_json(source)

    def table(self, depth: int | None = 3, metric: str = "flops") -> ConsoleRenderable:
        """The modules with one formula each, as a rich table; `str()` of it is plain text."""
        from dispatchcount.laws.table import module_table

        return module_table(self, depth, metric)

    def to_markdown(self, depth: int | None = 3, metric: str = "flops") -> str:
        """The module table as GitHub Markdown."""
        from dispatchcount.laws.text import to_markdown

        return to_markdown(self, depth, metric)

    def to_latex(self, metrics: Sequence[str] = ("flops",)) -> str:
        """The formulas of the whole as an ``align*`` environment."""
        from dispatchcount.laws.text import to_latex

        return to_latex(self, metrics)

    def python(self, metric: str = "flops") -> str:
        """The text of a Python function that needs nothing else, to be pasted into a trainer."""
        from dispatchcount.laws.text import to_python

        return to_python(self, metric)

    def __str__(self) -> str:
        from dispatchcount.laws.text import summary

        return summary(self)

    def __repr__(self) -> str:
        model = f" of {self.meta.model}" if self.meta.model else ""
        return f"<Law{model} in {', '.join(self.sizes)}: {str(self).splitlines()[0]}>"

    def metrics(self) -> list[str]:
        """The metrics that occur: those with a formula that is not 0, and those without one."""
        refused = self.total.refused
        return [m for m in FIGURES if m in refused or self.total.polynomial(m)]

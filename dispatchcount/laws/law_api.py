"""The public `Law`: the data of `law.py` with the methods that change, show and save it.

`law.py` knows no renderer and no file; this file stands above both, as `report_api.py` does for
reports. Each method imports what it hands on to, so that reading a law does not load it all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from dispatchcount.laws.law import LawData

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.laws.diff import LawDiff
    from dispatchcount.laws.figures import LawStats

L = TypeVar("L", bound="Law")


class Law(LawData):
    """Formulas by module, operator and phase, in the sizes of the inputs, made by
    `dispatchcount.law`.

    Called with sizes, it gives exact figures, ``law(b=8, s=4096).flops``; without, each metric is a
    `Polynomial`, ``law.flops``.

    Attributes:
        sizes: the names of the sizes.
        start: the sizes that the law was asked for.
        convention: name of the convention that `flops` follows; see `with_convention`.
        checked: sizes at which the law was compared with a run that it was not made from.
        runs: how many runs it took.
        meta: what it was made of.
        estimates: rows whose formula is an estimate or an upper bound; figures they are part of are
            marked.
        altered: what views such as `causal` changed, one sentence each.
        modules, polynomials, rows, domains, operator_domains, refusals: the record that the
            methods read; `LawData` says what each holds.
    """

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

    def verify(
        self,
        model: Any,
        run: Callable[..., Any],
        times: int = 20,
        *,
        seed: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[dict[str, int], ...]:
        """Hold the law against more runs, at random sizes inside its domain.

        Every metric of the whole and of every module, operator and phase is compared. Use it where
        a wrong law would be dear, where you suspect code of doing something else at odd sizes, and
        to try a saved law on a model that has changed since:

            law = dc.Law.from_json("gpt2.law.json")
            law.verify(model, lambda b, s: model(tokens(b, s)), times=50)

        Args:
            model: as for `dispatchcount.law`.
            run: as for `dispatchcount.law`, under the same conditions: with gradients or without,
                in the same mode.
            times: how many sizes are chosen, each order of magnitude as likely as any other, up to
                the largest that the law was compared with. Of equal ones one is run.
            seed: the same seed chooses the same sizes.
            progress: told in a line what is being done, before each run.

        Returns:
            The sizes at which a run agreed. Sizes at which this machine has no memory are left out.

        Raises:
            LawError: a run disagrees; the message names sizes, row and metric, and both figures. Or
                the code raises inside the domain, or the law is a view such as `causal`.
            ValueError: `times` is below 1.
        """
        from dispatchcount.laws.runs import Runs
        from dispatchcount.laws.verify import verify

        return verify(self, Runs(model, run, self.sizes, progress), times, seed)

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
        """The formulas that changed from this law (old) to `other` (new).

        Raises:
            LawError: the laws are in other sizes.
            TypeError: `other` is no law.
        """
        from dispatchcount.laws.diff import diff

        if not isinstance(other, LawData):
            raise TypeError(
                f"diff() takes a law, got {type(other).__name__}; dispatchcount.law makes one, and "
                "dispatchcount.Law.from_json(path) reads one"
            )

        return diff(self, other)

    # Files and text

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """The law as JSON by the schema in the package; written to `path` as well, if given."""
        from dispatchcount.laws.serialize import to_json

        return to_json(self, path)

    @classmethod
    def from_json(cls: type[L], source: bytes | str | PathLike[str]) -> L:
        """A law from JSON bytes or from a file.

        Raises:
            LawError: it is no law; the message says what is wrong, and where.
        """
        from dispatchcount.laws.serialize import from_json

        return from_json(source, make=cls)

    def table(
        self, depth: int | None = 3, metric: str = "flops", *, fold: bool = True
    ) -> ConsoleRenderable:
        """The modules with one formula each, as a rich table; `str()` of it is plain text.

        Args:
            depth: levels of modules below the root; None for all.
            metric: whose formulas.
            fold: one row for equal siblings, ``layers.0–31 ×32``, with the formula of their sum.
        """
        from dispatchcount.laws.table import module_table

        return module_table(self, depth, metric, fold=fold)

    def plot(
        self,
        size: str,
        path: str | PathLike[str] | None = None,
        *,
        metric: str = "flops",
        most: int | None = None,
        **others: int,
    ) -> Any:
        """A metric against one size as a matplotlib figure; written to `path` as well, if given.

        ``law.plot("s", "cost.png", b=8)`` draws the whole and each power of s, so that it shows
        from which length on the square decides. See `laws.plot.plot` for the arguments.

        Raises:
            ImportError: matplotlib is not installed.
            LawError: the metric has no formula, or not at the other sizes.
        """
        from dispatchcount.laws.plot import plot

        return plot(self, size, path, metric, most, others)

    def to_markdown(
        self, depth: int | None = 3, metric: str = "flops", *, fold: bool = True
    ) -> str:
        """The module table as GitHub Markdown; see `table`."""
        from dispatchcount.laws.text import to_markdown

        return to_markdown(self, depth, metric, fold=fold)

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

    def _repr_html_(self) -> str:
        from dispatchcount.laws.table import module_table

        return module_table(self, 3, "flops")._repr_html_()

    def __repr__(self) -> str:
        model = f" of {self.meta.model}" if self.meta.model else ""
        return f"<Law{model} in {', '.join(self.sizes)}: {str(self).splitlines()[0]}>"

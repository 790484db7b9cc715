"""The report: frozen plain data that can be saved, loaded, merged, compared and re-rendered without the model or torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.report import samples as over_samples
from dispatchcount.report import views
from dispatchcount.report.conventions import Convention, convention
from dispatchcount.report.rows import (
    FAILED,
    UNKNOWN,
    UNSEEN,
    ZERO,
    Entry,
    Memory,
    Meta,
    Module,
    ModuleCost,
    OpIssue,
    Path,
    Sample,
    Stats,
)

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from dispatchcount.report.diff import Diff


@dataclass(frozen=True, repr=False)
class Report:
    """What a profiled block did. Every figure is an exact int unless marked an estimate.

    Attributes:
        meta: versions, devices, where the block stopped, the user's labels.
        convention: name of the convention that `flops` follows; see `with_convention`.
        modules: the module table; index 0 is work outside every module, index 1 the root ``""``.
        paths: the stacks of calls seen; index 0 is outside every module.
        entries: what ran, one for each distinct path, operator, phase and dtype.
        issues: operators that could not be counted.
        samples, profiles: see `dispatchcount.Profile.sample`.
        memory: see ``profile(memory=True)``; None where it was not asked for.
    """

    meta: Meta
    convention: str
    modules: tuple[Module, ...]
    paths: tuple[Path, ...]
    entries: tuple[Entry, ...]
    issues: tuple[OpIssue, ...] = ()
    samples: tuple[Sample, ...] = ()
    profiles: tuple[tuple[ModuleCost, ...], ...] = ()
    memory: Memory | None = None

    @cached_property
    def convention_(self) -> Convention:
        """The convention itself."""
        return convention(self.convention)

    @cached_property
    def total(self) -> Stats:
        """The whole block's figures; `calls` counts operator calls."""
        return views.total(self)

    @property
    def flops(self) -> int:
        """Flops under the report's convention."""
        return self.total.flops

    @property
    def macs(self) -> int:
        """Multiply-accumulates of contractions."""
        return self.total.macs

    @property
    def arithmetic(self) -> int:
        """Element-wise adds, multiplies, compares, besides the MACs."""
        return self.total.arithmetic

    @property
    def transcendentals(self) -> int:
        """Element-wise exp, log, tanh, sqrt and the like."""
        return self.total.transcendentals

    @property
    def activations(self) -> int:
        """Elements handed on by convolutions, matrix products and the kernels built of them."""
        return self.total.activations

    @property
    def params(self) -> int:
        """Elements of the roots' parameters, a tied tensor once."""
        return self.total.params

    @property
    def bytes_read(self) -> int:
        """Bytes of operands of operators that touch memory."""
        return self.total.bytes_read

    @property
    def bytes_written(self) -> int:
        """Bytes of results of operators that touch memory."""
        return self.total.bytes_written

    @property
    def estimate(self) -> bool:
        """Whether an estimate is part of `flops`."""
        return self.total.estimate

    @cached_property
    def _by_owner(self) -> dict[str, Stats]:
        return views.by_module(self)

    def by_module(self, ancestors: str = "owner") -> dict[str, Stats]:
        """Every module's total, called or not, ``""`` for the root; `self_` on each row is its own part.

        Args:
            ancestors: ``"owner"`` (default): an operator belongs to the innermost module running and those above it by name,
                so that a parent's total is its own part plus its children's totals. ``"caller"``: to every module on the
                stack of calls, once each.

        Raises:
            ValueError: `ancestors` is neither.
        """
        return dict(self._by_owner) if ancestors == "owner" else views.by_module(self, ancestors)

    def by_operator(self) -> dict[str, Stats]:
        """Totals by operator, ``"aten.convolution"``, most flops first. Zero and unknown operators are in it."""
        return views.grouped(self, lambda e: e.op)

    def by_module_and_operator(self, ancestors: str = "owner") -> dict[str, dict[str, Stats]]:
        """Totals by operator for every module; `ancestors` as in `by_module`."""
        return views.by_module_and_operator(self, ancestors)

    def by_phase(self, name: str | None = None) -> dict[str, Stats]:
        """Totals by phase: forward, backward, recompute, optimizer, those that occurred. Of one module, if `name` is given.

        Raises:
            KeyError: no module goes by that name.
        """
        return views.by_phase(self, name)

    def by_dtype(self) -> dict[str, Stats]:
        """Totals by the dtype operators worked in, ``"float32"``."""
        return views.grouped(self, lambda e: e.dtype)

    def by_function(self) -> dict[str, Stats]:
        """Totals by Python-level torch function, where those were recorded."""
        return views.grouped(self, lambda e: e.function)

    def by_call(self, name: str) -> dict[str, Stats]:
        """Calls of one module grouped by the shapes of their inputs, most calls first.

        Raises:
            KeyError: no module goes by that name.
        """
        return views.by_call(self, name)

    def by_sample(self) -> list[tuple[str, dict[str, Stats]]]:
        """Each sample's label and every module's figures in it."""
        return over_samples.by_sample(self)

    def sample_flops(self) -> list[int]:
        """Each sample's flops, in the order they ran."""
        return over_samples.sample_flops(self)

    def distribution(self) -> over_samples.Distribution:
        """The distribution of flops over the samples.

        Raises:
            ValueError: the block had no samples.
        """
        if not self.samples:
            raise ValueError(
                "the report has no samples; wrap each input in `with prof.sample(label):`"
            )
        return over_samples.distribution(self.sample_flops())

    def by_module_over_samples(self) -> dict[str, over_samples.ModuleSamples]:
        """Execution rate and distributions of every module over the samples."""
        return over_samples.by_module_over_samples(self)

    def _issues(self, status: str) -> dict[str, OpIssue]:
        return {issue.op: issue for issue in self.issues if issue.status == status}

    @property
    def unknown_ops(self) -> dict[str, OpIssue]:
        """Operators without a rule that ran, and kernels no dispatcher saw."""
        return self._issues(UNKNOWN) | self._issues(UNSEEN)

    @property
    def failed_ops(self) -> dict[str, OpIssue]:
        """Operators whose rule raised or returned nonsense."""
        return self._issues(FAILED)

    @property
    def zero_ops(self) -> dict[str, int]:
        """Operators that ran and are zero by definition, with their calls."""
        calls: dict[str, int] = {}
        for entry in self.entries:
            if entry.status == ZERO:
                calls[entry.op] = calls.get(entry.op, 0) + entry.calls
        return calls

    @property
    def uncalled_modules(self) -> tuple[str, ...]:
        """Names of modules that did nothing: never called, nor used by a fused operator. Pure containers are left out."""
        return views.uncalled(self)

    def module_index(self, name: str) -> int:
        """Index in `modules` of a name or an alias.

        Raises:
            KeyError: no module goes by that name.
        """
        index = self._names.get(name)
        if index is None:
            raise KeyError(f"no module is called {name!r}; by_module() lists them")
        return index

    @cached_property
    def _names(self) -> dict[str, int]:
        names = {alias: i for i, module in enumerate(self.modules) for alias in module.aliases}
        return names | {module.name: i for i, module in enumerate(self.modules)}

    def with_convention(self, name: str) -> Report:
        """The same record under another convention: ``"fvcore"``, ``"macs"``, ``"torch"`` or ``"full"``.

        Raises:
            ValueError: there is no convention of that name.
        """
        return replace(self, convention=convention(name).name)

    def with_labels(self, **labels: str) -> Report:
        """The same record with labels set: ``with_labels(commit="1f3a", model="resnet50")``."""
        merged = dict(self.meta.labels) | {key: str(value) for key, value in labels.items()}
        return replace(self, meta=replace(self.meta, labels=tuple(merged.items())))

    def __add__(self, other: Report) -> Report:
        """Both runs together; see `merge`."""
        if not isinstance(other, Report):
            return NotImplemented
        return Report.merge([self, other])

    @staticmethod
    def merge(reports: Iterable[Report]) -> Report:
        """Many runs or ranks as one: calls and costs add up by module and operator, parameters are those of the first.

        Raises:
            ValueError: there is no report, or their conventions differ.
        """
        from dispatchcount.report.merge import merge

        return merge(list(reports))

    def diff(self, other: Report) -> Diff:
        """What changed from this report (old) to `other` (new)."""
        from dispatchcount.report.diff import diff

        return diff(self, other)

    def self_check(self) -> None:
        """Assert what always holds: for every metric a parent's total is its own part plus its children's totals.

        Raises:
            AssertionError: it does not hold; the message names the module and metric.
        """
        from dispatchcount.report.check import self_check

        self_check(self)

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """The report as JSON by the schema in the package; written to `path` as well, if given."""
        from dispatchcount.report.serialize import to_json

        return to_json(self, path)

    @staticmethod
    def from_json(source: bytes | str | PathLike[str]) -> Report:
        """A report from JSON bytes or from a file.

        Raises:
            dispatchcount.ReportError: it is no report; the message says what is wrong, and where.
        """
        from dispatchcount.report.serialize import from_json

        return from_json(source)

    def table(
        self,
        depth: int | None = 3,
        columns: Sequence[str] | None = None,
        *,
        sort: str | None = None,
        min_share: float = 0.0,
        exact: bool = False,
    ) -> ConsoleRenderable:
        """The module tree as a rich table; `str()` of it is plain text. See `dispatchcount.render.table.module_table`."""
        from dispatchcount.render.table import module_table

        return module_table(
            self, depth=depth, columns=columns, sort=sort, min_share=min_share, exact=exact
        )

    def tree(
        self, depth: int | None = None, *, min_share: float = 0.0, exact: bool = False
    ) -> ConsoleRenderable:
        """The modules as a rich tree with their share of the total."""
        from dispatchcount.render.tree import module_tree

        return module_tree(self, depth=depth, min_share=min_share, exact=exact)

    def operators(
        self, top: int | None = 15, *, sort: str = "flops", exact: bool = False
    ) -> ConsoleRenderable:
        """The operators as a rich table, biggest first."""
        from dispatchcount.render.operators import operator_table

        return operator_table(self, top=top, sort=sort, exact=exact)

    def arch(self) -> ConsoleRenderable:
        """The architecture as `print(model)` shows it, with each module's figures."""
        from dispatchcount.render.arch import architecture

        return architecture(self)

    def histogram(self, bins: int = 10) -> ConsoleRenderable:
        """The flops of the samples as a rich histogram."""
        from dispatchcount.render.histogram import histogram

        return histogram(self, bins=bins)

    def memory_table(self, depth: int | None = 3, *, exact: bool = False) -> ConsoleRenderable:
        """Bytes of parameters, gradients, optimizer state and saved activations by module, and the peak, as a rich table."""
        from dispatchcount.render.memory import memory_table

        return memory_table(self, depth=depth, exact=exact)

    def side_by_side(self, depth: int | None = 3, *, exact: bool = False) -> ConsoleRenderable:
        """The first samples beside each other: which modules each ran, how often, and at what cost."""
        from dispatchcount.render.side_by_side import side_by_side

        return side_by_side(self, depth=depth, exact=exact)

    def samples_table(
        self, top: int | None = 15, *, depth: int | None = 3, exact: bool = False
    ) -> ConsoleRenderable:
        """The most expensive samples, and every module's execution rate and figures over all of them."""
        from dispatchcount.render.samples import samples_table

        return samples_table(self, top=top, depth=depth, exact=exact)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """One self-contained HTML page; written to `path` as well, if given."""
        from dispatchcount.render.html import to_html

        return to_html(self, path)

    def to_chrome_trace(
        self, path: str | PathLike[str] | None = None, metric: str = "flops"
    ) -> bytes:
        """A Chrome/Perfetto trace: modules as nested slices as wide as `metric`; written to `path` as well, if given."""
        from dispatchcount.render.chrome import to_chrome_trace

        return to_chrome_trace(self, path, metric)

    def to_speedscope(self, path: str | PathLike[str] | None = None) -> bytes:
        """A speedscope file with a profile for each metric; written to `path` as well, if given."""
        from dispatchcount.render.speedscope import to_speedscope

        return to_speedscope(self, path)

    def to_csv(self, path: str | PathLike[str] | None = None) -> str:
        """A line for each module, raw integers; written to `path` as well, if given."""
        from dispatchcount.render.text import to_csv

        return to_csv(self, path)

    def to_jsonl(self, path: str | PathLike[str] | None = None) -> bytes:
        """A JSON object for each module and line; written to `path` as well, if given."""
        from dispatchcount.render.text import to_jsonl

        return to_jsonl(self, path)

    def to_markdown(self, depth: int | None = 3) -> str:
        """The module table as GitHub Markdown."""
        from dispatchcount.render.text import to_markdown

        return to_markdown(self, depth)

    def to_openmetrics(self) -> str:
        """The totals and each module's figures as OpenMetrics text."""
        from dispatchcount.render.openmetrics import to_openmetrics

        return to_openmetrics(self)

    def to_tensorboard(self, writer: Any, step: int = 0) -> None:
        """Add the totals as scalars to a `torch.utils.tensorboard.SummaryWriter`."""
        from dispatchcount.render.tensorboard import to_tensorboard

        to_tensorboard(self, writer, step)

    def to_frame(self) -> Any:
        """The modules as a pandas DataFrame, indexed by name.

        Raises:
            ImportError: pandas is not installed.
        """
        from dispatchcount.render.frame import to_frame

        return to_frame(self)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        from dispatchcount.render.line import report_line

        return report_line(self)

    def __rich__(self) -> ConsoleRenderable:
        return self.table()

    def _repr_html_(self) -> str:
        from dispatchcount.render.notebook import to_notebook

        return to_notebook(self)

"""The report: frozen plain data that can be saved, loaded, merged and compared without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from dispatchcount.report import by_module, by_type, collectives, coverage, views
from dispatchcount.report import samples as over_samples
from dispatchcount.report.alike import alike as equal_modules
from dispatchcount.report.conventions import find_convention
from dispatchcount.report.metrics import Stats
from dispatchcount.report.parameter_totals import (
    ParameterTotals,
    all_parameters,
    own_parameters,
)
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import FAILED, UNKNOWN, UNSEEN, ZERO, OpIssue
from dispatchcount.report.shapes import batch_of

R = TypeVar("R", bound="ReportData")


class ReportData(ReportRows):
    """The rows of a report and the figures that follow from them. It shows nothing.

    `dispatchcount.Report` is this class with the methods that show, save, merge and compare. What
    makes a report (`costing.build`, `merge`, `from_json`) is given that class, and never names it:
    this floor knows no renderer.
    """

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
    def masked_macs(self) -> int:
        """MACs of attention scores that the calls themselves say are masked."""
        return self.total.masked_macs

    @property
    def recomputed_macs(self) -> int:
        """MACs with which fused backwards form again what their forwards had formed."""
        return self.total.recomputed_macs

    @property
    def bops(self) -> int:
        """Bit operations: MACs times the bits of both factors, where those are known."""
        return self.total.bops

    @property
    def sized_macs(self) -> int:
        """MACs that `bops` counts, because the width of their factors is known."""
        return self.total.sized_macs

    @property
    def nonzero_params(self) -> int:
        """Elements of the parameters that are not zero, where ``nonzero=True`` read them."""
        return self.total.nonzero_params

    @property
    def nonzero_macs(self) -> int:
        """MACs that do not multiply with a weight that is zero, where weights were read."""
        return self.total.nonzero_macs

    @property
    def weighed_macs(self) -> int:
        """MACs of which it is known if they multiply with a weight that is zero."""
        return self.total.weighed_macs

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
        """Elements of the roots' parameters, a tied tensor once.

        A parameter that is spread over ranks counts whole; `local_params` is this rank's part.
        """
        return self.total.params

    @property
    def local_params(self) -> int:
        """Those of `params` that this rank holds, without padding."""
        return self._parameters.local_params

    @property
    def trainable(self) -> int:
        """Elements of the parameters that require a gradient; the others are frozen."""
        return self._parameters.trainable

    @property
    def param_bytes(self) -> int:
        """Bytes of the parameters, each in its own dtype."""
        return self._parameters.param_bytes

    @cached_property
    def _parameters(self) -> ParameterTotals:
        return all_parameters(map(own_parameters, self.modules))

    @property
    def batch(self) -> int | None:
        """How many samples the block ran, None where that is not known.

        It is the first size of the first input of the root, summed over the root's calls.
        """
        batch = batch_of(self)
        return None if batch is None else batch.size

    @property
    def bytes_read(self) -> int:
        """Bytes of operands of operators that touch memory."""
        return self.total.bytes_read

    @property
    def bytes_written(self) -> int:
        """Bytes of results of operators that touch memory."""
        return self.total.bytes_written

    @property
    def payload_bytes(self) -> int:
        """Bytes of the wholes that collectives are about; see `by_collective`."""
        return self.total.payload_bytes

    @property
    def wire_bytes(self) -> int:
        """Bytes that pass this rank's link in one direction because of collectives."""
        return self.total.wire_bytes

    @property
    def estimate(self) -> bool:
        """True if an estimate is part of `flops`."""
        return self.total.estimate

    @property
    def incomplete(self) -> bool:
        """True if an operator that could not be counted is missing from the totals."""
        return coverage.incomplete(self)

    @cached_property
    def _by_owner(self) -> dict[str, Stats]:
        return by_module.by_module(self)

    @cached_property
    def alike(self) -> list[int]:
        """For each module by index a number that equal modules share; see `report.fold`."""
        return equal_modules(self, self._by_owner)

    def by_module(self, ancestors: str = "owner") -> dict[str, Stats]:
        """Every module's total, called or not; `self_` on each row is the module's own part.

        Args:
            ancestors: ``"owner"`` (default): an operator belongs to the innermost module running
                and to those above it by name, so that a parent's total is its own part plus its
                children's totals. ``"caller"``: it belongs to every module on the stack of calls,
                once each.

        Returns:
            Rows by full name, ``""`` for the root.

        Raises:
            ValueError: `ancestors` is neither.
        """
        if ancestors == "owner":
            return dict(self._by_owner)
        return by_module.by_module(self, ancestors)

    def by_operator(self) -> dict[str, Stats]:
        """Totals by operator, ``"aten.convolution"``, most flops first.

        Operators that are zero by definition or unknown are in it.
        """
        return views.grouped(self, lambda e: e.op)

    def by_module_and_operator(self, ancestors: str = "owner") -> dict[str, dict[str, Stats]]:
        """Totals by operator for every module; `ancestors` as in `by_module`."""
        return by_module.by_module_and_operator(self, ancestors)

    def by_phase(self, name: str | None = None) -> dict[str, Stats]:
        """Totals by phase: forward, backward, recompute, optimizer, those that occurred.

        Args:
            name: a module; the figures are then its own and those of the modules below it.

        Raises:
            KeyError: no module goes by that name.
        """
        return views.by_phase(self, name)

    def by_type(self) -> dict[str, Stats]:
        """Totals by class of module, ``"Linear"``, most own flops first; see `report.by_type`.

        `self_` on each row is what the modules of the class did without their children; those add
        up to the block.
        """
        return by_type.by_type(self)

    def by_collective(self, name: str | None = None) -> list[collectives.Collective]:
        """What was sent between ranks: a row for each operator and process group.

        Each row has the calls, the payload (and if that is what goes in or what comes out), and the
        bytes on the wire, in all and by module and phase. Most wire bytes come first; objects,
        metadata and barriers, which are marked as `control`, come last.

        Args:
            name: a module; only data of its own and of the modules below it are counted then.

        Raises:
            KeyError: no module goes by that name.
        """
        return collectives.by_collective(self, name)

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
        """Names of modules that did nothing: never called, nor used by a fused operator.

        Pure containers are left out.
        """
        return coverage.uncalled(self)

    def with_convention(self: R, name: str) -> R:
        """The same record under another convention.

        Args:
            name: ``"fvcore"``, ``"macs"``, ``"torch"`` or ``"full"``.

        Raises:
            ValueError: there is no convention of that name.
        """
        return replace(self, convention=find_convention(name).name)

    @property
    def labels(self) -> Mapping[str, str]:
        """What the user said of the run, by name: ``report.labels["commit"]``. It is read-only.

        ``profile(labels=…)``, `with_labels` and ``--label`` set labels, and the command line fills
        in ``model``, ``input``, ``device``, ``dtype``, ``mode`` and ``commit``.
        """
        return MappingProxyType(dict(self.meta.labels))

    def with_labels(self: R, **labels: str) -> R:
        """The same record with labels set: ``with_labels(commit="1f3a", model="resnet50")``."""
        merged = {**self.labels} | {key: str(value) for key, value in labels.items()}
        return replace(self, meta=replace(self.meta, labels=tuple(merged.items())))

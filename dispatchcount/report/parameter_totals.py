"""What is to be known of parameters besides how many there are: trainable ones, bytes, shards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import Module
from dispatchcount.report.tree import upward
from dispatchcount.rules.core.shape import itemsize


@dataclass(slots=True)
class ParameterTotals:
    """Parameters of a module and of those below it, a tied tensor once.

    Attributes:
        params: their elements.
        trainable: elements of those that require a gradient.
        param_bytes: bytes of all of them, each in its own dtype.
        local_params: elements of them that the profiled rank holds, without padding.
    """

    params: int = 0
    trainable: int = 0
    param_bytes: int = 0
    local_params: int = 0

    @property
    def frozen(self) -> int:
        """Elements of those that require no gradient."""
        return self.params - self.trainable

    def add(self, other: ParameterTotals) -> None:
        """Add those of another module."""
        self.params += other.params
        self.trainable += other.trainable
        self.param_bytes += other.param_bytes
        self.local_params += other.local_params


def own_parameters(module: Module) -> ParameterTotals:
    """The parameters that a module holds itself."""
    own = ParameterTotals()
    for parameter in module.parameters:
        if parameter.tied_to is None:
            own.params += parameter.numel
            own.trainable += parameter.numel if parameter.trainable else 0
            own.param_bytes += parameter.numel * itemsize(parameter.dtype)
            own.local_params += parameter.local_numel
    return own


def all_parameters(rows: Iterable[ParameterTotals]) -> ParameterTotals:
    """Several rows as one."""
    whole = ParameterTotals()
    for row in rows:
        whole.add(row)
    return whole


def parameter_totals(report: ReportRows) -> list[ParameterTotals]:
    """For each module by index: its parameters and those of the modules below it."""
    totals = [own_parameters(module) for module in report.modules]
    for module, parent in upward(report.modules):
        totals[parent].add(totals[module])
    return totals

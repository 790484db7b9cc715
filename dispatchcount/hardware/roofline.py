"""The roofline: the least time that a device needs for each operator and module of a report.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures" (Communications of the ACM 52(4), 2009): work of F flops that moves B bytes takes a
device at least ``max(F / peak, B / bandwidth)`` seconds. Below the intensity ``peak / bandwidth``,
in flops for each byte, memory sets the limit; above it, arithmetic does.

It is a lower bound for three reasons. Each operand counts as read once and each result as written
once. Peaks are the vendor's. Calls of one operator in one module that differ only in shapes are
taken together, and the larger of two sums is at most the sum of the larger ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

from dispatchcount.errors import DeviceError
from dispatchcount.hardware.device import Device, checked_device
from dispatchcount.hardware.work import FLOPS_PER_MAC, Work, uncounted, work_of
from dispatchcount.report.brief import Brief
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import NO_MODULE, Module

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

COMPUTE, MEMORY, NEITHER = BOUNDS = ("compute", "memory", "neither")
"""What limits the time of some work: arithmetic, bytes, or nothing because there is no work."""


@dataclass(frozen=True, slots=True, repr=False)
class RooflineRow(Brief):
    """An operator, a module or the whole run on the roofline.

    Attributes:
        name: the operator or module, ``""`` for the root and for the whole.
        calls: operator calls.
        macs: multiply-accumulates.
        flops_by_dtype: flops by dtype: two for a multiply-accumulate, one for any other arithmetic.
        nbytes: bytes read and written.
        compute_seconds: least time of the arithmetic, at the peak of its dtype.
        memory_seconds: least time of the bytes, at the device's bandwidth.
        least_seconds: the sum, over the distinct operators in it, of the larger of the two.
        memory_bound_seconds: the part of it that is of operators that memory limits.
        share: its part of the whole run's least time, 0 to 1.
        seconds: time that it took; 0 where time was not measured.
    """

    name: str
    calls: int
    macs: int
    flops_by_dtype: Mapping[str, int]
    nbytes: int
    compute_seconds: float
    memory_seconds: float
    least_seconds: float
    memory_bound_seconds: float
    share: float = 0.0
    seconds: float = 0.0

    @property
    def flops(self) -> int:
        """Flops of all dtypes together."""
        return sum(self.flops_by_dtype.values())

    @property
    def intensity(self) -> float | None:
        """Flops for each byte; None where no byte is moved."""
        return self.flops / self.nbytes if self.nbytes else None

    @property
    def bound(self) -> str:
        """What limits most of its least time: one of `BOUNDS`."""
        if not self.least_seconds:
            return NEITHER
        return MEMORY if 2 * self.memory_bound_seconds > self.least_seconds else COMPUTE

    @property
    def flops_per_s(self) -> float | None:
        """The rate that was achieved; None where time was not measured."""
        return self.flops / self.seconds if self.seconds else None

    @property
    def of_roof(self) -> float | None:
        """Least time by measured time, 1 at the roof; None where time was not measured."""
        return self.least_seconds / self.seconds if self.seconds else None


@dataclass(frozen=True, repr=False)
class Roofline(Brief):
    """A report on the roofline of a device. Times are lower bounds, in seconds.

    Attributes:
        device: whose roof.
        work: what ran.
        modules: the module table of the report.
        notes: what the bounds leave out, a sentence each.
    """

    device: Device
    work: tuple[Work, ...] = field(repr=False)
    modules: tuple[Module, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def total(self) -> RooflineRow:
        """The whole run."""
        return _row("", self.work, self.device, None)

    @cached_property
    def peaks(self) -> dict[str, float]:
        """The peaks that bound the products that ran, in flops a second by dtype or ``"tf32"``."""
        bounds = [self.device.bound_of(one.rate) for one in self.work if one.macs]
        return {name: self.device.peak[name] for name in bounds if name is not None}

    @property
    def least_seconds(self) -> float:
        """A lower bound of the time of the run on the device."""
        return self.total.least_seconds

    def share(self, bound: str) -> float:
        """The part of the run's least time that is of operators limited by `bound`, 0 to 1.

        Raises:
            ValueError: `bound` is neither ``"compute"`` nor ``"memory"``.
        """
        if bound not in (COMPUTE, MEMORY):
            raise ValueError(f"bound={bound!r} is not known; it is 'compute' or 'memory'")
        whole = self.total.least_seconds
        memory = self.total.memory_bound_seconds / whole if whole else 0.0
        return memory if bound == MEMORY else (1.0 - memory if whole else 0.0)

    def by_operator(self) -> dict[str, RooflineRow]:
        """Each operator's row, the longest least time first."""
        return self._grouped(lambda work: work.op)

    def by_phase(self) -> dict[str, RooflineRow]:
        """Each phase's row: forward, backward, recompute, optimizer, those that occurred."""
        return self._grouped(lambda work: work.phase)

    def by_module(self, *, own: bool = False) -> dict[str, RooflineRow]:
        """Each module's row in the model's order, ``""`` for the root.

        Args:
            own: leave out what the modules below it did.
        """
        parts: list[list[Work]] = [[] for _ in self.modules]
        for work in self.work:
            parts[work.module].append(work)
        if not own:
            for index in range(len(parts) - 1, -1, -1):  # a parent's index is smaller
                if self.modules[index].parent >= 0:
                    parts[self.modules[index].parent] += parts[index]
        return {
            module.name: _row(module.name, part, self.device, self.least_seconds)
            for module, part in zip(self.modules, parts, strict=True)
            if part or module.name != NO_MODULE
        }

    def _grouped(self, key: Callable[[Work], str]) -> dict[str, RooflineRow]:
        parts: dict[str, list[Work]] = {}
        for work in self.work:
            parts.setdefault(key(work), []).append(work)
        rows = [_row(name, part, self.device, self.least_seconds) for name, part in parts.items()]
        return {row.name: row for row in sorted(rows, key=lambda row: -row.least_seconds)}

    def table(self, top: int | None = 15, *, by: str = "operator") -> ConsoleRenderable:
        """The rows as a rich table, ``str()`` is plain text; see `show.roofline_table`."""
        from dispatchcount.hardware.show import roofline_table

        return roofline_table(self, top=top, by=by)

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """The operators under the roof as a matplotlib figure; written to `path` as well, if given.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from dispatchcount.hardware.plot import roofline_plot

        return roofline_plot(self, path)

    def to_json(self, path: str | PathLike[str] | None = None) -> bytes:
        """The rows as JSON; written to `path` as well, if given."""
        from dispatchcount.hardware.show import roofline_json

        return roofline_json(self, path)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        from dispatchcount.hardware.show import roofline_line

        return roofline_line(self)

    def _repr_html_(self) -> str:
        from dispatchcount.hardware.show import roofline_table

        return roofline_table(self)._repr_html_()

    def __rich__(self) -> ConsoleRenderable:
        return self.table()


def roofline(report: ReportRows, device: Device) -> Roofline:
    """The report on the roofline of `device`.

    Raises:
        DeviceError: the device has neither peaks nor a bandwidth.
        TypeError: it is not a `Device`.
    """
    if not checked_device(device).peak and device.bandwidth is None:
        note = f": {device.note}" if device.note else ""
        raise DeviceError(f"{device} has neither a peak nor a bandwidth{note}")
    work = tuple(work_of(report))
    return Roofline(device, work, report.modules, tuple(_notes(report, work, device)))


def _row(name: str, work: Iterable[Work], device: Device, whole: float | None) -> RooflineRow:
    """The sum of some work, of which each entry is on its own side of the ridge.

    `whole` is the least time of the run, None if this is the run.
    """
    calls = macs = nbytes = time_ns = 0
    compute = memory = least = memory_bound = 0.0
    flops: dict[str, int] = {}
    for one in work:
        calls += one.calls
        macs += one.macs
        nbytes += one.nbytes
        time_ns += one.time_ns
        if one.flops:
            flops[one.dtype] = flops.get(one.dtype, 0) + one.flops
        arithmetic, moving = _compute_seconds(one, device), _memory_seconds(one, device)
        compute += arithmetic
        memory += moving
        least += max(arithmetic, moving)
        memory_bound += moving if moving > arithmetic else 0.0
    share = 1.0 if whole is None else least / whole if whole else 0.0
    return RooflineRow(
        name, calls, macs, flops, nbytes, compute, memory, least, memory_bound, share, time_ns / 1e9
    )


def _compute_seconds(work: Work, device: Device) -> float:
    """Matrix units and vector units may work at the same time: the larger of their times."""
    peak, vector = device.peak_of(work.rate), device.vector_of(work.dtype)
    products = FLOPS_PER_MAC * work.macs / peak if peak else 0.0
    return max(products, work.elementwise / vector if vector else 0.0)


def _memory_seconds(work: Work, device: Device) -> float:
    return work.nbytes / device.bandwidth if device.bandwidth else 0.0


def _notes(report: ReportRows, work: Iterable[Work], device: Device) -> Iterable[str]:
    missing = dict.fromkeys(
        one.dtype for one in work if one.macs and device.peak_of(one.rate) is None
    )
    if missing:
        yield f"{device} has no peak for {', '.join(missing)}: only the bytes of such work bound it"
    if device.bandwidth is None:
        yield f"{device} has no bandwidth: only the arithmetic bounds the time"
    gaps = uncounted(report)
    if gaps:
        yield f"of {', '.join(gaps)} only the bytes are known, not the arithmetic"

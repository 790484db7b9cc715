"""MFU and HFU of a run that was timed: how much of a device's peak its matrix products used.

Model flops utilization is the definition of PaLM (Chowdhery et al. 2022, arXiv:2204.02311, section
4.1 and appendix B): "the ratio of the observed throughput to the theoretical maximum throughput of
a system operating at peak FLOPs", where only what a forward and a backward need counts, and
rematerialization does not. Hardware flops utilization, in the same place, counts all that ran.
PaLM estimates the flops of a token as ``6 N + 12 L H Q T``; here they are counted. The products
with which a fused attention's backward forms its scores again are rematerialization too.

PaLM counts every score of a causal attention. Others (FlashAttention's benchmarks, Megatron-LM)
count those that the mask leaves: `Utilization.mfu_unmasked`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from dispatchcount.errors import DeviceError
from dispatchcount.hardware.at_hand import GIVE
from dispatchcount.hardware.device import Device, checked_device
from dispatchcount.hardware.work import FLOPS_PER_MAC, by_rate, uncounted, work_of
from dispatchcount.report.brief import Brief
from dispatchcount.report.report_rows import ReportRows
from dispatchcount.report.rows import SET_UP

MODEL_PHASES = ("forward", "backward", "double backward")
"""The phases that a model needs. Recomputing a forward and updating parameters are not needed."""


NEGLIGIBLE = 0.01
"""The part of the work that may be in dtypes without a peak. MFU is then of the rest."""


@dataclass(frozen=True, slots=True, repr=False)
class StepCost(Brief):
    """The matrix work of a run: what utilization needs to know of it.

    Attributes:
        model: multiply-accumulates of forward and backward, each product once, by what bounds
            them: a dtype, or ``"float32 conv"`` and ``"float32 rnn"`` (see `Device.rounds`).
        hardware: multiply-accumulates of all that ran in the same way, recomputation included.
        unmasked: those of `model` without scores that the calls themselves say are masked.
        uncounted: operators whose cost is not known: both are too small by theirs.
    """

    model: Mapping[str, int]
    hardware: Mapping[str, int]
    unmasked: Mapping[str, int]
    uncounted: tuple[str, ...] = ()

    @property
    def flops(self) -> int:
        """Model flops: two for each multiply-accumulate of forward and backward."""
        return FLOPS_PER_MAC * sum(self.model.values())

    @property
    def hardware_flops(self) -> int:
        """Flops of all matrix work that ran."""
        return FLOPS_PER_MAC * sum(self.hardware.values())

    def __add__(self, other: StepCost) -> StepCost:
        return StepCost(
            _sum(self.model, other.model),
            _sum(self.hardware, other.hardware),
            _sum(self.unmasked, other.unmasked),
            tuple(dict.fromkeys(self.uncounted + other.uncounted)),
        )


NO_COST = StepCost({}, {}, {})
"""The cost of nothing, to which others are added."""


def step_cost(report: ReportRows) -> StepCost:
    """The matrix work of a report, without that of setting up a distributed run."""
    work = [one for one in work_of(report) if one.phase != SET_UP]
    needed = [one for one in work if one.phase in MODEL_PHASES]
    return StepCost(
        model=by_rate(needed, lambda one: one.macs - one.recomputed),
        hardware=by_rate(work, lambda one: one.macs),
        unmasked=by_rate(needed, lambda one: one.macs - one.recomputed - one.masked),
        uncounted=uncounted(report),
    )


@dataclass(frozen=True, slots=True, repr=False)
class Utilization(Brief):
    """How much of a device's peak a run used.

    Attributes:
        device: whose peak.
        seconds: time that the run took.
        cost: its matrix work.
        mfu: model flops utilization: the time that forward and backward take at peak, by `seconds`.
            Each dtype counts at its own peak. None if more than `NEGLIGIBLE` of the work is in
            dtypes without one.
        hfu: the same with all matrix work that ran.
        mfu_unmasked: MFU without the scores that the calls themselves say are masked, by
            ``is_causal`` or a window. Masks that are tensors are not looked into.
        notes: what the figures leave out, a sentence each.
    """

    device: Device
    seconds: float
    cost: StepCost
    mfu: float | None
    hfu: float | None
    mfu_unmasked: float | None
    notes: tuple[str, ...] = ()

    @property
    def flops(self) -> int:
        """Model flops of the run: two for each multiply-accumulate of forward and backward."""
        return self.cost.flops

    @property
    def hardware_flops(self) -> int:
        """Flops of all matrix work that ran."""
        return self.cost.hardware_flops

    @property
    def flops_per_s(self) -> float:
        """Model flops a second."""
        return self.flops / self.seconds

    @property
    def counts(self) -> str:
        """What counts, in a sentence to stand beside the figures."""
        return (
            "2 flops for each multiply-accumulate of matrix products, convolutions and attention, "
            "each dtype at its own dense peak; MFU: forward and backward, each product once; "
            "unmasked: without scores that calls say are masked; HFU: all that ran, "
            "recomputation included"
        )

    def __str__(self) -> str:
        from dispatchcount.hardware.show import utilization_text

        return utilization_text(self)

    def __repr__(self) -> str:
        from dispatchcount.hardware.show import utilization_line

        return utilization_line(self)

    def _repr_html_(self) -> str:
        from dispatchcount.hardware.show import text_html

        return text_html(str(self))


def utilization(report: ReportRows, device: Device, seconds: float) -> Utilization:
    """How much of `device`'s peak the run of `report` used, which took `seconds`.

    Args:
        report: of exactly the work that was timed.
        device: the one device that did it, with the kinds of float32 products that were rounded:
            see `Device.rounds`.
        seconds: time of the same work without the profiler, which slows a run down.

    Raises:
        DeviceError: `seconds` is not a positive number.
    """
    return utilization_of(step_cost(report), device, seconds)


def utilization_of(cost: StepCost, device: Device, seconds: float) -> Utilization:
    """The same for work whose cost is known without a report.

    Raises:
        DeviceError: `seconds` is not a positive number.
        TypeError: the device is not a `Device`.
    """
    checked_device(device)
    if not isinstance(seconds, int | float) or not isfinite(seconds) or seconds <= 0:
        raise DeviceError(f"seconds={seconds!r}: give the time that the run took, more than 0")
    shares = [at_peak(macs, device) for macs in (cost.model, cost.hardware, cost.unmasked)]
    mfu, hfu, unmasked = (None if least is None else least / seconds for least in shares)
    return Utilization(
        device, float(seconds), cost, mfu, hfu, unmasked, tuple(_notes(cost, device))
    )


def at_peak(macs: Mapping[str, int], device: Device) -> float | None:
    """Seconds that the device needs at peak.

    Dtypes without a peak are left out if they hold less than `NEGLIGIBLE` of the work, such as the
    angles of a rotary embedding in float32. If they hold more there is no answer, and it is None.
    """
    seconds = 0.0
    left_out = 0
    for dtype, count in macs.items():
        peak = device.peak_of(dtype)
        if peak is None:
            left_out += count
        else:
            seconds += FLOPS_PER_MAC * count / peak
    return None if left_out > NEGLIGIBLE * sum(macs.values()) else seconds


def _notes(cost: StepCost, device: Device) -> Iterable[str]:
    missing = dict.fromkeys(
        rate.partition(" ")[0] for rate in cost.hardware if device.peak_of(rate) is None
    )
    if missing and at_peak(cost.hardware, device) is None:
        yield f"no MFU: {device} has no peak for {', '.join(missing)}; {GIVE}"
    elif missing:
        yield f"less than 1 % of the work is in {', '.join(missing)}: no peak, so it is left out"
    if cost.uncounted:
        yield f"the cost of {', '.join(cost.uncounted)} is not known: the figures are too small"


def _sum(mine: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    both = dict(mine)
    for dtype, macs in others.items():
        both[dtype] = both.get(dtype, 0) + macs
    return both

"""What a number of steps cost and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dispatchcount.hardware.device import Device
from dispatchcount.hardware.utilization import NO_COST, StepCost, at_peak
from dispatchcount.report.brief import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Throughput(Brief):
    """Cost and time of one step or of many, and the rates that follow.

    A step that was counted was slowed down by the counting. Its cost is in `cost`, but rates are of
    the steps that were only timed, unless there is none of those.

    Attributes:
        device: the one whose peak MFU is of.
        steps: how many steps.
        counted: how many of them were counted by the profiler.
        cost: matrix work of all steps.
        seconds: time of all steps.
        tokens: tokens in all steps; 0 where batches hold none.
        timed_cost, timed_seconds, timed_tokens: the same of steps that were only timed.
    """

    device: Device
    steps: int = 0
    counted: int = 0
    cost: StepCost = NO_COST
    seconds: float = 0.0
    tokens: int = 0
    timed_cost: StepCost = NO_COST
    timed_seconds: float = 0.0
    timed_tokens: int = 0

    @property
    def flops(self) -> int:
        """Model flops of all steps: two for each multiply-accumulate of forward and backward."""
        return self.cost.flops

    @property
    def mfu_unmasked(self) -> float | None:
        """MFU without attention scores that the calls themselves say are masked."""
        return self._utilization(self._rated[0].unmasked)

    @property
    def flops_per_step(self) -> float:
        """Model flops of a step on average."""
        return self.flops / self.steps if self.steps else 0.0

    @property
    def mfu(self) -> float | None:
        """Model flops utilization; None without a peak or before the first step."""
        return self._utilization(self._rated[0].model)

    @property
    def hfu(self) -> float | None:
        """Hardware flops utilization: all matrix work that ran, recomputation included."""
        return self._utilization(self._rated[0].hardware)

    @property
    def flops_per_s(self) -> float | None:
        """Model flops a second."""
        cost, seconds, _ = self._rated
        return cost.flops / seconds if seconds else None

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens a second; None where batches hold none."""
        _, seconds, tokens = self._rated
        return tokens / seconds if seconds and tokens else None

    @property
    def seconds_per_step(self) -> float | None:
        """Time of a step on average."""
        timed = self.steps - self.counted
        if timed:
            return self.timed_seconds / timed
        return self.seconds / self.steps if self.steps else None

    def logs(self) -> dict[str, float]:
        """The figures that trainers log, those that are not known left out."""
        figures = {
            "mfu": self.mfu,
            "hfu": self.hfu,
            "flops_per_step": self.flops_per_step if self.steps else None,
            "flops_per_s": self.flops_per_s,
            "tokens_per_s": self.tokens_per_s,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def __add__(self, other: Throughput) -> Throughput:
        """Both, one after the other, on the device of the first."""
        return replace(
            self,
            steps=self.steps + other.steps,
            counted=self.counted + other.counted,
            cost=self.cost + other.cost,
            seconds=self.seconds + other.seconds,
            tokens=self.tokens + other.tokens,
            timed_cost=self.timed_cost + other.timed_cost,
            timed_seconds=self.timed_seconds + other.timed_seconds,
            timed_tokens=self.timed_tokens + other.timed_tokens,
        )

    def __str__(self) -> str:
        from dispatchcount.integrations.show import throughput_line

        return throughput_line(self)

    @property
    def _rated(self) -> tuple[StepCost, float, int]:
        """Cost, seconds and tokens that rates are worked out from."""
        if self.timed_seconds:
            return self.timed_cost, self.timed_seconds, self.timed_tokens
        return self.cost, self.seconds, self.tokens

    def _utilization(self, macs: Mapping[str, int]) -> float | None:
        seconds = self._rated[1]
        least = at_peak(macs, self.device)
        return None if least is None or not seconds else least / seconds

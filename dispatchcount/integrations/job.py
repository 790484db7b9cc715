"""The throughput of a job of many processes, each with a device of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dispatchcount.hardware.device import Device
from dispatchcount.integrations.throughput import Throughput
from dispatchcount.report.brief import Brief


@dataclass(frozen=True, slots=True, repr=False)
class JobThroughput(Brief):
    """What the ranks of a job did at the same time.

    Rates of ranks add up and utilizations are averaged, because ranks need not have timed the same
    steps: each counts the first step of every signature that it sees.

    Attributes:
        ranks: each rank's own figures, by rank.
    """

    ranks: tuple[Throughput, ...]

    @property
    def mfu(self) -> float | None:
        """Model flops utilization of all devices together; None if one rank has none."""
        return _mean([rank.mfu for rank in self.ranks])

    @property
    def hfu(self) -> float | None:
        """Hardware flops utilization of all devices together; None if one rank has none."""
        return _mean([rank.hfu for rank in self.ranks])

    @property
    def flops_per_step(self) -> float:
        """Model flops of a step of the whole job."""
        return sum(rank.flops_per_step for rank in self.ranks)

    @property
    def flops_per_s(self) -> float | None:
        """Model flops a second of the whole job."""
        return _sum([rank.flops_per_s for rank in self.ranks])

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens a second of the whole job; None if a rank's batches hold none."""
        return _sum([rank.tokens_per_s for rank in self.ranks])

    def logs(self) -> dict[str, float]:
        """The figures that trainers log, those that are not known left out."""
        figures = {
            "mfu": self.mfu,
            "hfu": self.hfu,
            "flops_per_step": self.flops_per_step if any(r.steps for r in self.ranks) else None,
            "flops_per_s": self.flops_per_s,
            "tokens_per_s": self.tokens_per_s,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def __str__(self) -> str:
        from dispatchcount.integrations.show import job_line

        return job_line(self)


def over_ranks(own: Throughput, group: Any = None) -> JobThroughput:
    """The figures of all ranks of a job. Every rank of `group` must call it, with its own.

    Without a process group this rank is the whole job.

    Args:
        own: of this rank.
        group: a process group of torch; all ranks by default.

    Raises:
        ImportError: numpy is not installed, by which torch packs objects that it sends.
    """
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return JobThroughput((own,))
    parts: list[Any] = [None] * distributed.get_world_size(group)
    # A device's sources are the same texts on every rank; all that rates need is its peaks, and
    # which of them bounds what.
    plain = Device(own.device.peak, name=own.device.name, rounds=own.device.rounds)
    try:
        distributed.all_gather_object(parts, replace(own, device=plain), group)
    except RuntimeError as error:
        if "numpy is not available" in str(error).lower():
            raise ImportError(
                "torch.distributed sends objects with the help of numpy, which is not installed; "
                "pip install numpy"
            ) from error
        raise
    return JobThroughput(tuple(parts))


def _mean(values: list[float | None]) -> float | None:
    whole = _sum(values)
    return None if whole is None else whole / len(values)


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None

"""A throughput, of a process or of a job, as a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.render.numbers import duration, human, percent, plural

if TYPE_CHECKING:
    from dispatchcount.integrations.job import JobThroughput
    from dispatchcount.integrations.throughput import Throughput


def throughput_line(done: Throughput) -> str:
    """``MFU 41.2 %, HFU 54.9 %, 407 T flops/s, 21.3 k tokens/s, 50.1 ms a step (100 steps)``."""
    parts = _rates(done)
    if done.seconds_per_step is not None:
        parts.append(f"{duration(round(done.seconds_per_step * 1e9))} a step")
    counted = f", {done.counted:,} counted" if done.counted else ""
    return f"{_listed(parts)} ({plural(done.steps, 'step')}{counted})"


def job_line(job: JobThroughput) -> str:
    """``MFU 41.2 %, HFU 54.9 %, 3.26 P flops/s, 170 k tokens/s (8 ranks)``."""
    return f"{_listed(_rates(job))} ({plural(len(job.ranks), 'rank')})"


def _rates(done: Throughput | JobThroughput) -> list[str]:
    parts = [
        f"{name} {percent(value)}"
        for name, value in (("MFU", done.mfu), ("HFU", done.hfu))
        if value is not None
    ]
    if done.flops_per_s is not None:
        parts.append(f"{human(done.flops_per_s)} flops/s")
    if done.tokens_per_s is not None:
        parts.append(f"{human(done.tokens_per_s)} tokens/s")
    return parts


def _listed(parts: list[str]) -> str:
    return ", ".join(parts) or "nothing timed yet"

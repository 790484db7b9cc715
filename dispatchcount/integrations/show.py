"""A throughput as a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchcount.render.numbers import duration, human, percent, plural

if TYPE_CHECKING:
    from dispatchcount.integrations.throughput import Throughput


def throughput_line(done: Throughput) -> str:
    """``MFU 41.2 %, HFU 54.9 %, 407 T flops/s, 21.3 k tokens/s, 50.1 ms a step (100 steps)``."""
    parts = [
        f"{name} {percent(value)}"
        for name, value in (("MFU", done.mfu), ("HFU", done.hfu))
        if value is not None
    ]
    if done.flops_per_s is not None:
        parts.append(f"{human(done.flops_per_s)} flops/s")
    if done.tokens_per_s is not None:
        parts.append(f"{human(done.tokens_per_s)} tokens/s")
    if done.seconds_per_step is not None:
        parts.append(f"{duration(round(done.seconds_per_step * 1e9))} a step")
    counted = f", {done.counted:,} counted" if done.counted else ""
    return f"{', '.join(parts) or 'nothing timed yet'} ({plural(done.steps, 'step')}{counted})"

"""Figures that follow from those of one row. Renderers show them and work out nothing."""

from __future__ import annotations

from dispatchcount.report.metrics import BYTES, Stats

SECOND = 1_000_000_000
"""Nanoseconds of a second."""


def nbytes(stats: Stats) -> int:
    """Bytes read and written."""
    return BYTES.value(stats)


def intensity(stats: Stats | None) -> float | None:
    """Flops for each byte moved; None where no byte was."""
    if stats is None or not nbytes(stats):
        return None
    return stats.flops / nbytes(stats)


def rate(stats: Stats | None) -> float | None:
    """Flops a second; None where time was not measured."""
    if stats is None or not stats.time_ns:
        return None
    return stats.flops * SECOND / stats.time_ns


def per_sample(figure: int | None, samples: int | None) -> int | float | None:
    """What one of so many samples takes of a figure; an integer where it is one."""
    if figure is None or not samples:
        return None
    return figure / samples if figure % samples else figure // samples


def part(value: int, whole: int) -> float | None:
    """What part of a whole a figure is, 0 to 1; None where the whole is nothing."""
    return value / whole if whole else None


def share(stats: Stats | None, whole: Stats) -> float | None:
    """The part of all flops that a row has; None where there are no flops or no row."""
    return None if stats is None else part(stats.flops, whole.flops)

"""How long a step took, without making an accelerator wait."""

from __future__ import annotations

import time
from typing import Any, Protocol

import torch


class Interval(Protocol):
    """A stretch of time that has ended, though its length may not be known yet."""

    def ready(self) -> bool:
        """True if `seconds` answers at once."""

    def seconds(self) -> float:
        """Its length; waits for the accelerator if need be."""


class Clock(Protocol):
    """Marks points in time, and makes intervals of them."""

    def mark(self) -> Any:
        """Now, where the work stands that was asked for before."""

    def between(self, start: Any, stop: Any) -> Interval:
        """The interval from one mark to a later one."""


class HostInterval:
    """A stretch of the host's time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def ready(self) -> bool:
        """True: the host's clock has been read."""
        return True

    def seconds(self) -> float:
        """Its length."""
        return self._seconds


class HostClock:
    """The host's clock, for work that has been done when a call returns."""

    def mark(self) -> float:
        """Seconds of the host's clock."""
        return time.perf_counter()

    def between(self, start: float, stop: float) -> HostInterval:
        """The difference of two marks."""
        return HostInterval(stop - start)


class EventInterval:
    """A stretch of an accelerator's time between two events in its stream."""

    def __init__(self, start: Any, stop: Any) -> None:
        self._start, self._stop = start, stop

    def ready(self) -> bool:
        """True if the accelerator has passed the later event."""
        return bool(self._stop.query())

    def seconds(self) -> float:
        """Its length; waits until the accelerator has passed the later event."""
        self._stop.synchronize()
        return float(self._start.elapsed_time(self._stop)) / 1000  # torch gives milliseconds


class EventClock:
    """Events in the stream that an accelerator works on: the host goes on without waiting.

    An interval holds what the accelerator did for the calls between two marks, and the time that it
    waited for the host meanwhile.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def mark(self) -> Any:
        """An event that the accelerator will pass after the work that it was given so far."""
        event = torch.Event(self._device, enable_timing=True)
        event.record(torch.accelerator.current_stream(self._device))
        return event

    def between(self, start: Any, stop: Any) -> EventInterval:
        """The time between two events."""
        return EventInterval(start, stop)


def clock_for(device: torch.device) -> Clock:
    """The clock for work on `device`."""
    return HostClock() if device.type in ("cpu", "meta") else EventClock(device)

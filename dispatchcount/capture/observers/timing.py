"""The observer behind ``profile(time=True)``: how long each operator call takes, and nothing else.

On the CPU the clock is read right before and right after the call. So the time holds neither this
package nor the Python code of a module, nor autograd's own work. On an accelerator an operator
returns before it has run. There, a pair of events is put into the stream around it, which waits for
nothing. The pairs are read when the block ends, and the oldest when very many wait.

An accelerator that has nothing else to do would wait for the host to launch the operator, and the
wait would be in the pair: some 20 µs, more than most kernels take. So a GPU is first kept busy for
as long as a launch takes. It comes to the first event when the operator already stands behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import torch

from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import FakeTensor, spin

if TYPE_CHECKING:
    from dispatchcount.capture.dispatch import CountingMode
    from dispatchcount.capture.plan import Plan
    from dispatchcount.capture.record import Place

WAITING = 4096
"""Pairs of events that may wait to be read."""

_HOST = ("cpu", "meta")

LAUNCH_CYCLES = 100_000
"""How long a GPU is kept busy before each operator, in cycles of its clock: 50 µs at 2 GHz."""

Event = Any
"""A `torch.Event` that takes the time."""


def record_event(device: torch.device, used: Event | None) -> Event:
    """Put an event into the stream that `device` works on now: `used` again, or a new one.

    Raises:
        RuntimeError: the device's events do not take the time.
    """
    event = used or torch.Event(device, enable_timing=True)
    event.record(torch.accelerator.current_stream(device))
    return event


def keep_busy(device: torch.device) -> None:
    """Make a GPU spin while the host launches an operator. Other accelerators cannot."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            spin(LAUNCH_CYCLES)


class Timing:
    """Adds up the time of calls, in the tables in which the calls are counted."""

    def __init__(
        self,
        accelerated: bool | None = None,
        mark: Callable[[torch.device, Event | None], Event] = record_event,
        hold: Callable[[torch.device], None] = keep_busy,
    ) -> None:
        """Measure nothing yet.

        Args:
            accelerated: True to look for operators that an accelerator runs; by default if there is
                one.
            mark: puts an event into a device's stream.
            hold: keeps a device busy while the host launches the next operator.
        """
        self._accelerated = torch.accelerator.is_available() if accelerated is None else accelerated
        self._mark = mark
        self._hold = hold
        self._began = 0
        self._elapsed = 0
        self._device: torch.device | None = None
        self._start: Event = None
        self._end: Event = None
        self._waiting: deque[tuple[Place, torch.device, Event, Event]] = deque()
        self._spare: dict[torch.device, list[Event]] = {}

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """See `Observer`."""
        self._elapsed = 0
        self._device = None
        if self._accelerated:
            self._device = _accelerator(args, kwargs)
            if self._device is not None:
                if not _capturing():
                    self._hold(self._device)
                self._start = self._event(mode)
        self._began = perf_counter_ns()

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """See `Observer`."""
        ended = perf_counter_ns()
        if self._device is None:
            self._elapsed = ended - self._began
        elif self._start is not None:
            self._end = self._event(mode)

    def recorded(self, place: Place) -> None:
        """See `Observer`."""
        if self._device is None:
            table, signature = place
            table.spend(signature, self._elapsed)
            self._elapsed = 0
        elif self._start is not None and self._end is not None:
            self._waiting.append((place, self._device, self._start, self._end))
            self._start = self._end = None
            if len(self._waiting) >= WAITING and not _capturing():
                self._relieve()

    def settle(self) -> None:
        """Wait for the operators whose time is not read yet, and read it."""
        if self._waiting and not _capturing():
            self._read(len(self._waiting))

    def _relieve(self) -> None:
        """Read the pairs that are through; wait only if that is less than half of them."""
        through = 0
        for _, _, _, end in self._waiting:
            if not end.query():
                break
            through += 1
        self._read(max(through, len(self._waiting) // 2))

    def _read(self, number: int) -> None:
        for _ in range(number):
            place, device, start, end = self._waiting.popleft()
            end.synchronize()
            table, signature = place
            table.spend(signature, round(start.elapsed_time(end) * 1e6))
            self._spare.setdefault(device, []).extend((start, end))

    def _event(self, mode: CountingMode) -> Event | None:
        """An event in the stream now.

        None while a graph is captured: nothing runs then, so there is no time to take.
        """
        device = self._device
        assert device is not None
        if _capturing():
            return None
        spare = self._spare.get(device)
        try:
            return self._mark(device, spare.pop() if spare else None)
        except (RuntimeError, NotImplementedError) as error:
            mode.recording.notes[f"operators on {device.type} have no time: {error}"] = None
            return None


def _accelerator(args: Any, kwargs: Any) -> torch.device | None:
    """The device that runs an operator with these arguments, if it is not the host."""
    for tensor in tensors_in((args, kwargs)):
        if tensor.device.type not in _HOST:
            return None if isinstance(tensor, FakeTensor) else tensor.device
    device = (kwargs or {}).get("device")
    if device is None:
        return None
    device = torch.device(device)
    return None if device.type in _HOST else device


def _capturing() -> bool:
    """True while a CUDA graph is captured.

    Nothing runs then, and asking an event would spoil the graph.
    """
    return bool(torch.cuda.is_available() and torch.cuda.is_current_stream_capturing())

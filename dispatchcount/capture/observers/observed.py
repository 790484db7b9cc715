"""The mode for blocks that also measure time or memory, or note functions.

Every operator takes the long way through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import get_ident
from typing import Any, Protocol

from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.plan import Plan, Plans
from dispatchcount.capture.record import Place, Recording
from dispatchcount.rules.core.registry import Registry


class Observer(Protocol):
    """Looks on as operators run. Must not keep a tensor alive or change anything."""

    def before(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> None:
        """An operator is about to run."""

    def after(self, mode: CountingMode, plan: Plan, args: Any, kwargs: Any, out: Any) -> None:
        """It ran, without raising."""

    def recorded(self, place: Place) -> None:
        """It was counted there, with calls like it."""


class ObservedMode(CountingMode):
    """`CountingMode` with observers.

    The last of them is closest to the operator: what the others do is not in its time.
    """

    always_direct = True

    def __init__(
        self,
        modules: Modules,
        recording: Recording,
        rules: Registry,
        plans: Plans,
        observers: Sequence[Observer],
    ) -> None:
        super().__init__(modules, recording, rules, plans)
        self._observers = tuple(observers)
        self._inside_out = self._observers[::-1]

    def observe(self, observer: Observer) -> None:
        """Let one more look on, closest to the operator."""
        self._observers = (*self._observers, observer)
        self._inside_out = self._observers[::-1]

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        return self._special(func, types, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Let a call through while the observers look on.

        A call that a signal handler makes while they are at work goes through without them.
        """
        tape, thread = self.calls.tape, get_ident()
        before = tape.worker
        if before == thread:
            return super().run(func, args, kwargs)
        plan = self._plans.of(func)
        try:
            tape.worker = thread
            for observer in self._observers:
                observer.before(self, plan, args, kwargs)
            tape.worker = before
            out = super().run(func, args, kwargs)
            tape.worker = thread
            for observer in self._inside_out:
                observer.after(self, plan, args, kwargs, out)
        finally:
            tape.worker = before
        return out

    def count(self, plan: Plan, args: Any, kwargs: Any, out: Any) -> Place | None:
        """Bump the count of a call like this one, and show where."""
        place = super().count(plan, args, kwargs, out)
        self.ran(place)
        return place

    def ran(self, place: Place | None) -> None:
        """Show where what `run` let through was counted."""
        if place is not None:
            for observer in self._observers:
                observer.recorded(place)

"""Tells an optimizer's own work from that of the modules and closures that it calls."""

from __future__ import annotations

import weakref
from functools import lru_cache, partial, partialmethod
from types import FunctionType, MethodType
from typing import Any, cast

from dispatchcount.capture.frames import in_optimizer_step, runs_in_step


class OptimizerSteps:
    """The steps that are being taken, innermost last: an optimizer may wrap another.

    A closure is the user's forward and backward and is not part of the optimizer. It is told from
    the optimizer by the function that is running, so that the optimizer gets the very object that
    the user passed.

    Attributes:
        taken: for each, where it began, and weakly the function that its closure runs.
            `ModuleStack` and `Recorder` read this very list; it is never another.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[tuple[int, int], weakref.ref[FunctionType] | None]] = []

    def begin(self, place: tuple[int, int], args: Any, kwargs: Any) -> None:
        """A step begins.

        `place`: how many module calls run, and in which backward pass, -1 for none.

        `args` begin with the optimizer.
        """
        closure = (
            kwargs.get("closure") if "closure" in kwargs else args[1] if len(args) > 1 else None
        )
        function = function_of(closure)
        self.taken.append((place, None if function is None else weakref.ref(function)))

    def end(self) -> None:
        """The innermost step ended."""
        if self.taken:
            self.taken.pop()

    def drop_stopped(self) -> None:
        """Forget steps that an exception ended, which torch tells no hook of."""
        if not in_optimizer_step():
            self.taken.clear()

    def at_work(self, place: tuple[int, int]) -> bool:
        """True if an operator that runs there, as for `begin`, is the optimizer's own."""
        if not self.taken:
            return False
        began, reference = self.taken[-1]
        closure = None if reference is None else reference()
        return place == began and not (closure is not None and runs_in_step(closure))


def function_of(value: Any) -> FunctionType | None:
    """The function that a call of `value` runs first; None if it is not written in Python."""
    for _ in range(
        8
    ):  # of partials and callable objects that hold one another, no more are followed
        kind = type(value)
        if kind is FunctionType:
            return cast(FunctionType, value)
        if kind is partial or kind is partialmethod:
            value = value.func
        elif kind is MethodType or kind is staticmethod or kind is classmethod:
            value = value.__func__
        elif kind is _CACHED:
            value = value.__wrapped__
        else:
            value = next(
                (vars(base)["__call__"] for base in kind.__mro__ if "__call__" in vars(base)), None
            )
    return None


_CACHED = type(lru_cache(lambda: None))

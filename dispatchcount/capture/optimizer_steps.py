"""Tells an optimizer's own work from what it asks for while it takes a step: the modules and closures that it calls."""

from __future__ import annotations

from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from dispatchcount.capture.frames import in_optimizer_step, runs_in_step


class OptimizerSteps:
    """The steps that are being taken, innermost last: an optimizer may wrap another.

    A closure is the user's forward and backward and is not part of the optimizer. It is told from the optimizer by the code
    that is running, so that the optimizer gets the very object that the user passed.

    Attributes:
        taken: for each, where it began and the code of its closure. `Calls` reads this very list; it is never another.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[tuple[int, int], frozenset[CodeType]]] = []

    def begin(self, place: tuple[int, int], args: Any, kwargs: Any) -> None:
        """A step begins. `place`: how many module calls run, and in which backward pass, -1 for none.

        `args` begin with the optimizer.
        """
        closure = kwargs.get("closure") if "closure" in kwargs else args[1] if len(args) > 1 else None
        self.taken.append((place, codes_of(closure)))

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
        began, closure = self.taken[-1]
        return place == began and not (closure and runs_in_step(closure))


def codes_of(function: Any) -> frozenset[CodeType]:
    """The code that a call of `function` runs first; none of what is not written in Python."""
    for _ in range(8):  # of partials and callable objects that hold one another, no more are followed
        kind = type(function)
        if kind is partial:
            function = function.func
        elif kind is MethodType:
            function = function.__func__
        elif kind is FunctionType:
            return frozenset((function.__code__,))
        else:
            function = next((vars(base)["__call__"] for base in kind.__mro__ if "__call__" in vars(base)), None)
    return frozenset()

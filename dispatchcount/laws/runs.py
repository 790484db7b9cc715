"""Running the user's code at chosen sizes: each point once, what raises is remembered as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from dispatchcount.errors import described, expect_function, kind_of
from dispatchcount.laws.observed import Observation, observed
from dispatchcount.profiler import profile
from dispatchcount.report_api import Report

Point = tuple[int, ...]
"""The sizes of one run, in the order of their names."""


class Raised:
    """A point at which the user's code raised: these sizes are not allowed."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def too_large(self) -> bool:
        """True if the machine cannot do it, whatever the model allows: no memory, or more elements
        than 64 bits count.
        """
        text = str(self.error).lower()
        return isinstance(self.error, MemoryError | torch.OutOfMemoryError) or any(
            part in text for part in ("overflow", "can't allocate memory", "not enough memory")
        )

    def __str__(self) -> str:
        return described(self.error)


class Runs:
    """The runs made so far, by point.

    Args:
        model: what `dispatchcount.profile` takes: a module, or several by name.
        run: called with the sizes by name.
        sizes: the names, in order.
        say: told of each run before it is made.

    Raises:
        TypeError: one of them is of another kind. It is said here, and not as an error of the code.
    """

    def __init__(
        self,
        model: Any,
        run: Callable[..., Any],
        sizes: tuple[str, ...],
        say: Callable[[str], None] | None,
    ) -> None:
        profile(model)  # runs nothing, and refuses what is no module
        if not callable(run):
            raise TypeError(
                "the second argument is code to run, called with the sizes by name, such as "
                f"lambda b, s: model(tokens(b, s)); got {kind_of(run)}"
            )
        if say is not None:
            expect_function(say, "progress", "a function of a line of text, such as print")
        self._model, self._run, self.sizes = model, run, sizes
        self._say = say
        self._known: dict[Point, Observation | Raised] = {}
        self.made = 0

    def named(self, point: Point) -> dict[str, int]:
        """A point with its names."""
        return dict(zip(self.sizes, point, strict=True))

    def text(self, point: Point) -> str:
        """A point as it is shown: ``b=2, s=16``."""
        return ", ".join(f"{name}={size}" for name, size in self.named(point).items())

    def at(self, point: Point) -> Observation | Raised:
        """What a run at `point` did. A point runs once; later it is looked up."""
        if point not in self._known:
            self._known[point] = self.again(point)
        return self._known[point]

    def again(self, point: Point) -> Observation | Raised:
        """What one more run at `point` does, whatever was known of it."""
        report = self.report(point)
        return report if isinstance(report, Raised) else observed(report)

    def report(self, point: Point, convention: str = "fvcore") -> Report | Raised:
        """The report of one more run at `point`."""
        self.made += 1
        if self._say is not None:
            self._say(f"run {self.made}: {self.text(point)}")
        try:
            with profile(self._model, convention=convention) as prof:
                self._run(**self.named(point))
        except Exception as error:
            # Anything may be raised where the model does not allow these sizes. A Ctrl-C is no
            # Exception and ends it all.
            return Raised(error)
        return prof.report

    def replace(self, point: Point, observation: Observation) -> None:
        """Take `observation` for what a run at `point` does."""
        self._known[point] = observation

    @property
    def points(self) -> Mapping[Point, Observation | Raised]:
        """All that is known."""
        return self._known

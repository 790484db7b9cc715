"""What goes on in the thread of a block: module calls, backward passes, steps of optimizers."""

from __future__ import annotations

from dispatchcount.capture.modules import Info
from dispatchcount.capture.optimizer_steps import OptimizerSteps
from dispatchcount.capture.torch_private import graph_task


class Activity:
    """The calls, passes and steps that are under way.

    `ModuleStack` follows them, and `Recorder` asks where among them an operator runs.

    Attributes:
        stack: the module calls, outermost first. This very list is emptied in place and never
            replaced.
        in_backward: of the calls that began in a backward pass, the depth of each, and the pass.
        steps: the steps of optimizers.
        outer_pass: the backward pass that began before the block did; -1 if none had.
    """

    def __init__(self) -> None:
        self.stack: list[Info] = []
        self.in_backward: list[tuple[int, int]] = []
        self.steps = OptimizerSteps()
        self.outer_pass = -1

    def task(self) -> int:
        """The backward pass that runs, -1 if none that began after the block did."""
        task = graph_task()
        return -1 if task == self.outer_pass else task

    def begun_in(self, task: int) -> bool:
        """True if the innermost call began in that very backward pass.

        In a pass that the call itself runs, it did not.
        """
        return bool(self.in_backward) and self.in_backward[-1] == (len(self.stack), task)

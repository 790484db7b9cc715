"""Which module a backward pass works for: the one whose call made the autograd node that runs."""

from __future__ import annotations

from typing import Any

import torch

from dispatchcount.capture.frames import in_checkpoint
from dispatchcount.capture.held import entries_of, parameter_named
from dispatchcount.capture.modules import Info, Modules
from dispatchcount.capture.record import Node, Recording, Table
from dispatchcount.capture.tape import Tape
from dispatchcount.capture.torch_private import (
    ACCUMULATES,
    at_end_of_backward,
    current_node,
    next_sequence,
    sequence_of,
)
from dispatchcount.report.rows import BACKWARD, DOUBLE_BACKWARD, RECOMPUTE


class Attribution:
    """Finds the owners of what backward passes run. A pass goes by the id of its graph task.

    Its data are the intervals in which module calls made autograd nodes (`Tape.intervals`), the
    passes that build a graph, and the modules that hold the parameters whose gradients are
    accumulated.
    """

    def __init__(self, modules: Modules, recording: Recording, tape: Tape) -> None:
        self._modules = modules
        self._recording = recording
        self._tape = tape
        self._intervals = tape.intervals
        # The number of the autograd node that ran last, and its table. Keeping the node would keep
        # its saved tensors.
        self._last: tuple[int, Table] | None = None
        # For each backward pass that builds a graph, autograd's counter at its latest operator.
        self._passes: dict[int, int] = {}
        # The module that holds each parameter, and under which name, by the parameter's id.
        self._holders: dict[int, tuple[Info | None, str]] = {}
        # True once a function, and not modules alone, was seen to be run again by a checkpoint.
        self._checkpoints = False

    def table(self, task: int) -> Table:
        """The table of an operator that the backward pass `task` runs itself.

        Operators of modules that the pass calls do not come here.
        """
        grad = torch.is_grad_enabled()
        last = self._last
        autograd_node = current_node()
        number = None if autograd_node is None else autograd_node._sequence_nr()
        # Most autograd nodes run several operators, all of which go into one table.
        if last is not None and last[0] == number and not grad and not self._checkpoints:
            return last[1]
        owner, maker = self._owner(autograd_node)
        if (grad or self._checkpoints) and (_is_checkpoint(autograd_node) or in_checkpoint()):
            self._checkpoints = True
            self._keep_graph(owner, task, in_backward=False)
            return owner.table(RECOMPUTE)
        # A node made by a backward pass that ended is run by a derivative of that pass. One made by
        # a pass that is still running is run by a pass inside it.
        table = owner.table(BACKWARD if maker is None or maker in self._passes else DOUBLE_BACKWARD)
        if grad:
            self._keep_graph(owner, task, in_backward=True)
        elif number is not None and number != ACCUMULATES:
            self._last = (number, table)
        return table

    def running(self) -> Node:
        """The call whose autograd node a backward pass runs now."""
        return self._owner(current_node())[0]

    def maker(self, sequence: int) -> Node:
        """The call that made the autograd node of that number."""
        self._tape.settle()
        return self._intervals.find(sequence)[0] or self._recording.tree

    def caller(self, info: Info) -> Node:
        """The caller of a module that a checkpoint runs again: that of the module's first call."""
        owner = self.running()
        above: Node | None = owner
        while above is not None and not above.called(info):
            above = above.parent
        return above or owner

    def _owner(self, autograd_node: Any) -> tuple[Node, int | None]:
        """The call that made an autograd node, and the backward pass that did if one did."""
        if autograd_node is None:
            return self._tape.current(), None
        sequence = sequence_of(autograd_node)
        if sequence is None:
            return self._holder(autograd_node.variable), None
        node, maker = self._intervals.find(sequence)
        return node or self._recording.tree, maker

    def holder(self, parameter: Any) -> Info | None:
        """The module that holds a parameter; None if no module does."""
        info, name = self._holders.get(id(parameter), _NOBODY)
        if info is None or not _holds(info, name, parameter):
            self._note_holders()
            info, _ = self._holders.setdefault(id(parameter), (self._modules.outside, ""))
        return None if info is self._modules.outside else info

    def _holder(self, parameter: Any) -> Node:
        """The latest call of the module that holds a parameter."""
        info = self.holder(parameter)
        if info is None:
            return self._recording.tree
        return self._recording.latest.get(info) or self._recording.tree.child(info, "")

    def _note_holders(self) -> None:
        """Note which module holds which parameter: the block began, or modules were made.

        torch refuses to swap a tensor that something refers to weakly. So a parameter goes by its
        id, and its module is asked each time if it holds it still.
        """
        holders = self._holders = {}
        for info in list(self._modules.infos.values()):
            module = info.module()
            for name, held in () if module is None else entries_of(module, "_parameters"):
                if held is not None and id(held) not in holders:
                    holders[id(held)] = info, name

    def _keep_graph(self, owner: Node, task: int, *, in_backward: bool) -> None:
        """Note who makes the autograd nodes of a backward pass that builds a graph.

        It is the module whose node the pass runs.

        Autograd makes the node of an operator before a mode sees the operator, so the interval
        begins at the counter that was seen at the operator before. At the first operator of a pass,
        that is one back, if it lies beyond the node that runs.
        """
        now = next_sequence()
        start = self._passes.get(task)
        if start is None:
            node = current_node()
            running = None if node is None else sequence_of(node)
            start = now - 1 if running is not None and running < now - 1 else now
            at_end_of_backward(lambda: self._end(task))
        start = max(start, self._intervals.latest)
        if in_backward:
            self._intervals.mark_backward(owner, task, start)
        else:
            self._intervals.mark(owner, start)
        self._passes[task] = now

    def _end(self, task: int) -> None:
        """A backward pass that built a graph has ended."""
        self._passes.pop(task, None)
        self._last = None
        self._intervals.mark(self._tape.current(), next_sequence())


_NOBODY: tuple[Info | None, str] = (None, "")


def _holds(info: Info, name: str, parameter: Any) -> bool:
    """True if the module holds that parameter, or if no module does.

    The latter keeps the holder of a lone parameter from being looked for each time.
    """
    module = info.module()
    return not name if module is None else parameter_named(module, name) is parameter


def _is_checkpoint(autograd_node: Any) -> bool:
    """True for the node of a reentrant checkpoint, which runs its function again when it is run."""
    made_by = getattr(type(autograd_node), "_forward_cls", None)
    return made_by is not None and made_by is torch.utils.checkpoint.CheckpointFunction

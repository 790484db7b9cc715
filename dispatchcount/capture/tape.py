"""Module calls and operators of the forward phase, until they are put into the tree.

While a model runs, its own kernels push everything else out of the caches, so each step taken
between two of them is slow. Noting what happened is one append. Sorting it into the tree is done
for thousands of events at once, or after the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import get_ident
from typing import TYPE_CHECKING, Any

from torch import Size

from dispatchcount.capture.intervals import Intervals
from dispatchcount.capture.record import Node, Recording
from dispatchcount.capture.signature import Signature

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info

LIMIT = 1 << 12
"""Events that may wait."""

Event = Any
"""What happened; told by its type, for speed:

* a `Signature`: an operator ran;
* a tuple of an `Info`, the shapes of its inputs, and autograd's counter: a module call began;
* a `torch.Size`, or a list that holds something of the kind: the shapes of what the innermost
  module call is about to return;
* an int, autograd's counter: the innermost module call ended.
"""


class Tape:
    """What happened and is not in the tree yet.

    Attributes:
        events: the events that wait. `CountingMode` and `ModuleStack` append to this very list, so
            it is emptied in place and never replaced.
        direct: True while operators must not wait here, but go into the tree one by one.
        node: the innermost of the calls that are in the tree and have not ended.
        used: gets the ids of parameters that operators use. Outside of modules it is a set that
            nobody reads, for what runs there says nothing of which parameters are at work.
        callers: the nodes above `node`, outermost first.
        intervals: which node was current when each autograd node was made.
        worker: the thread that is changing what is kept here, 0 if none is. A signal handler or a
            finalizer that runs a model meanwhile sees by it that nothing can be noted now.
    """

    def __init__(self, recording: Recording, *, direct: bool) -> None:
        self.events: list[Event] = []
        self.direct = direct
        self.used: set[int] = set()
        self.node = recording.tree
        self.callers: list[Node] = []
        self.intervals = Intervals()
        self.worker = 0
        self._settling = False
        self._recording = recording

    def current(self) -> Node:
        """The innermost call that is under way."""
        self.settle()
        return self.node

    def unfinished(self) -> list[Node]:
        """The calls in the tree that have not ended, outermost first."""
        return [*self.callers[1:], self.node] if self.callers else []

    def settle(self) -> None:
        """Put everything that waits into the tree."""
        if not self.events or self._settling:
            return
        self._settling, before, self.worker = True, self.worker, get_ident()
        waiting = iter(self.events.copy())
        self.events.clear()
        try:
            self._put(waiting)
        finally:
            # Nothing is left of `waiting` unless the user interrupted; then what is left waits on.
            self.events[:0] = waiting
            self._settling, self.worker = False, before

    def _put(self, waiting: Iterator[Event]) -> None:
        mark, new, callers = self.intervals.mark, self._recording.new, self.callers
        node = self.node
        calls = node.forward.calls
        try:
            for event in waiting:
                kind = type(event)
                if kind is Signature:
                    count = calls.get(event)
                    if count is None:
                        # This may be one record too many, and a fold asks for the node.
                        self.node = node
                        new(calls, event)
                    else:
                        calls[event] = count + 1
                elif kind is int:
                    node = callers.pop()
                    calls = node.forward.calls
                    mark(node, event)
                elif kind is Size:
                    if event != node.output:
                        node.returned(event)
                elif kind is list:
                    node.returned(event[0])
                else:
                    info, inputs, counter = event
                    callers.append(node)
                    node = self.begin(node, info, inputs)
                    calls = node.forward.calls
                    mark(node, counter)
        finally:
            self.node = node

    def begin(self, caller: Node, info: Info, inputs: Any) -> Node:
        """The node of a call that begins. The call is counted."""
        node = caller.child(info, inputs)
        node.calls += 1
        self._recording.latest[info] = node
        return node

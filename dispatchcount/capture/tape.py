"""Module calls and operators of the forward phase, in the order they came, until they are put into the tree of calls.

While a model runs, its own kernels push everything else out of the caches, so each step taken between two of them is dear. Noting
what happened is one append; sorting it into the tree is done for thousands of events at once, or after the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import get_ident
from typing import TYPE_CHECKING, Any

from dispatchcount.capture.autograd import Intervals
from dispatchcount.capture.record import Node, Recording, Signature

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info

LIMIT = 1 << 12
"""Events that wait at the most."""

Event = Any
"""An operator that ran: its `Signature`. A module call that began: the `Info` of the module, its inputs' signature, autograd's
counter. A module call that ended, always the innermost: autograd's counter."""


class Tape:
    """What happened and is not in the tree yet.

    Attributes:
        events: those that wait.
        node: the innermost call of those in the tree that did not end.
        callers: the node that each of these calls, `node` the last, was made from.
        intervals: which node was current when each autograd node was made.
        worker: the thread that changes what is kept here, 0 if none does. A signal handler or a finalizer that runs a model
            meanwhile sees by it that this is not the time to note anything.
    """

    def __init__(self, recording: Recording) -> None:
        self.events: list[Event] = []
        self.node = recording.tree
        self.callers: list[Node] = []
        self.intervals = Intervals()
        self.worker = 0
        self._settling = False
        self._recording = recording
        recording.settle = self.settle

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
            self.events[:0] = waiting  # nothing, unless the user interrupted
            self._settling, self.worker = False, before

    def _put(self, waiting: Iterator[Event]) -> None:
        mark, new, callers = self.intervals.mark, self._recording.new, self.callers
        node = self.node
        table = node.forward
        try:
            for event in waiting:
                kind = type(event)
                if kind is Signature:
                    count = table.get(event)
                    if count is None:
                        self.node = node  # it may be asked for if this is one record too many
                        new(table, event)
                    else:
                        table[event] = count + 1
                elif kind is int:
                    node = callers.pop()
                    table = node.forward
                    mark(node, event)
                else:
                    info, signature, counter = event
                    callers.append(node)
                    node = self.begin(node, info, signature)
                    table = node.forward
                    mark(node, counter)
        finally:
            self.node = node

    @staticmethod
    def begin(caller: Node, info: Info, signature: Any) -> Node:
        """The node of a call that begins, counted."""
        node = caller.child(info, signature)
        node.calls += 1
        info.last = node
        return node

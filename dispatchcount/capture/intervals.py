"""Which module call made each autograd node.

Every autograd node carries the number that the thread's counter showed when a forward operator made
it. Noting the counter at each module's start and end tells, for any node, the call that made it.
That is right for shared modules, recursion, branches and several forwards, where tensor hooks are
not.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dispatchcount.capture.record import Node

LIMIT = 1 << 19
"""Changes of module remembered.

With more, the oldest half is forgotten, and backward of those forwards has no module.
"""


class Intervals:
    """Which node of the call tree was current when each autograd node was made.

    Attributes:
        latest: the sequence number from which on the latest mark holds.
    """

    def __init__(self) -> None:
        self._starts = array("Q")
        self._nodes: list[Node | _InBackward] = []
        self.latest = -1

    def mark(self, node: Node | _InBackward, sequence: int) -> None:
        """From that number on `node` makes the autograd nodes."""
        if sequence == self.latest:
            self._nodes[-1] = node
            return
        self.latest = sequence
        self._starts.append(sequence)
        self._nodes.append(node)
        if len(self._nodes) > LIMIT:
            del self._starts[: LIMIT // 2], self._nodes[: LIMIT // 2]

    def mark_backward(self, node: Node, task: int, sequence: int) -> None:
        """From that number on a backward pass that keeps its graph makes them, for `node`."""
        self.mark(_InBackward(node, task), sequence)

    def find(self, sequence: int) -> tuple[Node | None, int | None]:
        """The call that made the autograd node of that number, and the backward pass that did.

        The call is None for a node made before the block; the pass is None for one made in no
        backward pass.
        """
        index = bisect_right(self._starts, sequence) - 1
        if index < 0:
            return None, None
        found = self._nodes[index]
        return (found.node, found.task) if isinstance(found, _InBackward) else (found, None)


class _InBackward(NamedTuple):
    """A node as the maker of autograd nodes in a backward pass."""

    node: Node
    task: int

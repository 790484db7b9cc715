"""What one sample of many adds to a recording: the difference between the counts before it and after it.

A sample costs one pass over two lists of numbers. Samples whose counts grew alike share one sum, so that ten thousand inputs
that took a few ways through a model are costed a few times. A module call belongs to the sample in which it ends, so that a hook
on the model can begin a sample for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import sub
from typing import TYPE_CHECKING, Any

from dispatchcount.capture.record import Node, Recording, Signature

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info

Sums = dict["Info", Any]
"""What each module did by itself in one sample."""


class Sampler:
    """Keeps the samples of one recording.

    Attributes:
        samples: label and sums of those that ended; samples alike have the same sums.
    """

    def __init__(
        self,
        recording: Recording,
        unfinished: Callable[[], list[Node]],
        add: Callable[[Any, Signature, int], None],
        new: Callable[[], Any],
    ) -> None:
        """`unfinished`: module calls that did not end yet. `new` makes an empty sum, `add` puts calls of a signature on it."""
        self.samples: list[tuple[str, Sums]] = []
        self._recording = recording
        self._unfinished = unfinished
        self._add = add
        self._new = new
        self._label: str | None = None
        self._open = 0
        self._records: list[int] = []
        self._calls: list[int] = []
        self._folded: Sums = {}
        self._known: dict[Any, Sums] = {}
        self._holders: dict[int, Node] = {}
        recording.before_fold, recording.after_fold = self._bank, self._restart

    @contextmanager
    def sample(self, label: str) -> Iterator[None]:
        """Whatever runs inside is one sample.

        Raises:
            RuntimeError: another one is open.
        """
        if self._label is not None:
            raise RuntimeError(f"sample {label!r} was opened inside sample {self._label!r}; end that one first")
        self._restart()
        self._label = label
        self._open = token = self._open + 1
        try:
            yield
        finally:
            if self._open == token:
                self.end()

    def end(self) -> None:
        """End the sample that is open, if one is (a generator that was left in the middle holds it open)."""
        if self._label is None:
            return
        key = self._grown()
        sums = None if self._folded else self._known.get(key)
        if sums is None:
            sums = self._summed(key, self._folded)
            if not self._folded:
                self._known[key] = sums
        self.samples.append((self._label, sums))
        self._label, self._folded = None, {}

    def _restart(self) -> None:
        self._records, self._calls = self._counts()

    def _bank(self) -> None:
        """Records are about to be folded away: put what the open sample did so far aside."""
        if self._label is not None:
            self._folded = self._summed(self._grown(), self._folded)
        self._known = {}

    def _grown(self) -> Any:
        """By how much each record and each node's calls grew, zeros at the end left out."""
        records, calls = self._counts()
        return _difference(records, self._records), _difference(calls, self._calls)

    def _counts(self) -> tuple[list[int], list[int]]:
        """How often each record was made and each node's call ended so far."""
        nodes = self._recording.root.log
        calls = [node.calls for node in nodes]
        for node in self._unfinished():
            calls[nodes.index(node)] -= 1
        return [record.count for _, _, record in self._recording.log], calls

    def _summed(self, grown: Any, start: Sums) -> Sums:
        sums = dict(start)
        for node, more in zip(self._recording.root.log, grown[1], strict=False):
            if more:
                self._sum(sums, node).calls += more
        for (table, signature, _), more in zip(self._recording.log, grown[0], strict=False):
            if more:
                self._add(self._sum(sums, self._holder(table)), signature, more)
        return sums

    def _sum(self, sums: Sums, node: Node) -> Any:
        if node.info not in sums:
            sums[node.info] = self._new()
        return sums[node.info]

    def _holder(self, table: Any) -> Node:
        """The node that a table is of."""
        node = self._holders.get(id(table))
        if node is None:
            self._holders = {id(t): n for n in self._recording.root.log for _, t in n.tables()}
            node = self._holders[id(table)]
        return node


def _difference(after: list[int], before: list[int]) -> tuple[int, ...]:
    grown = [*map(sub, after, before), *after[len(before) :]]
    while grown and not grown[-1]:
        grown.pop()
    return tuple(grown)

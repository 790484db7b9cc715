"""What one sample of many adds to a recording: the difference between the counts before it and after it.

A sample costs a copy of the counts and a comparison. Samples whose counts grew alike share one sum, so that ten thousand inputs
that took a few ways through a model are costed a few times. A module call belongs to the sample in which it ends, so that a hook
on the model can begin a sample for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from operator import sub
from typing import TYPE_CHECKING, Any

from dispatchcount.capture.record import Node, Recording, Signature, Table

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info

Sums = dict["Info", Any]
"""What each module did by itself in one sample."""

Counts = tuple[list[int], list["Table"], list["Table"]]
"""How often each node's call ended, and copies of the forward tables and of the others, each in the log's order."""

Grown = tuple[tuple[tuple[int, int], ...], Any, Any]
"""By how much counts grew, where they did: calls by place of the node; operators by place of the table and signature, forward and
others."""

MAX_KNOWN = 1_000
"""Ways in which counts grew that are remembered for samples that grow alike."""


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
        self._before: Counts = [], [], []
        self._folded: Sums = {}
        self._known: dict[Any, Sums] = {}
        recording.before_fold, recording.after_fold = self._bank, self._restart

    @contextmanager
    def sample(self, label: str) -> Iterator[None]:
        """Whatever runs inside is one sample.

        Raises:
            RuntimeError: another one is open.
        """
        if self._label is not None:
            raise RuntimeError(
                f"sample {label!r} was opened inside sample {self._label!r}; end that one first"
            )
        self._recording.settle()  # what ran before, and a fold that this may bring, is none of the sample's
        self._label = label
        self._restart()
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
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[key] = sums
        self.samples.append((self._label, sums))
        self._label, self._folded, self._before = None, {}, ([], [], [])

    def _restart(self) -> None:
        """What the open sample does from here on is told by the counts now."""
        if self._label is not None:
            self._before = self._counts()

    def _bank(self) -> None:
        """Records are about to be folded away: put what the open sample did so far aside."""
        if self._label is not None:
            self._folded = self._summed(self._grown(), self._folded)
        self._known = {}

    def _counts(self) -> Counts:
        """What was counted so far."""
        log = self._recording.root.log
        calls = [node.calls for node in log.nodes]
        for node in self._unfinished():
            calls[log.nodes.index(node)] -= 1
        return (
            calls,
            [node.forward.copy() for node in log.nodes],
            [table.copy() for _, table in log.tables],
        )

    def _grown(self) -> Grown:
        """What was counted since the sample began."""
        (calls, forward, others), (calls_before, forward_before, others_before) = (
            self._counts(),
            self._before,
        )
        more = [*map(sub, calls, calls_before), *calls[len(calls_before) :]]
        return (
            tuple([pair for pair in enumerate(more) if pair[1]]),
            _more(forward, forward_before),
            _more(others, others_before),
        )

    def _summed(self, grown: Grown, start: Sums) -> Sums:
        calls, forward, others = grown
        log = self._recording.root.log
        sums = dict(start)
        for place, more in calls:
            self._sum(sums, log.nodes[place]).calls += more
        for places, nodes in ((forward, log.nodes), (others, [node for node, _ in log.tables])):
            for place, records in places:
                tally = self._sum(sums, nodes[place])
                for signature, more in records:
                    self._add(tally, signature, more)
        return sums

    def _sum(self, sums: Sums, node: Node) -> Any:
        if node.info not in sums:
            sums[node.info] = self._new()
        return sums[node.info]


def _more(after: list[Table], before: list[Table]) -> Any:
    """For each table that grew, its place and by how much each signature did."""
    pairs = enumerate(zip_longest(after, before, fillvalue=_EMPTY))
    return tuple([(place, _growth(now, then)) for place, (now, then) in pairs if now != then])


def _growth(after: Table, before: Table) -> tuple[tuple[Signature, int], ...]:
    grown = [(signature, count - before.get(signature, 0)) for signature, count in after.items()]
    return tuple([pair for pair in grown if pair[1]])


_EMPTY: Table = {}

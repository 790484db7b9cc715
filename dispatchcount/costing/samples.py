"""What one sample of many adds to a recording: how much the counts grew while it ran.

A sample costs a copy of the counts and a comparison. Samples whose counts grew alike share one sum,
so that ten thousand inputs that took a few ways through a model are costed a few times. A module
call belongs to the sample in which it ends, so that a hook on the model can begin a sample for each
call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from dispatchcount.report.tally import Tally

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info
    from dispatchcount.capture.record import Node, Recording
    from dispatchcount.capture.signature import Signature
    from dispatchcount.capture.tape import Tape
    from dispatchcount.costing.accountant import Accountant

Sums = dict["Info", Tally]
"""What each module did by itself in one sample."""

Calls = dict["Signature", int]
"""A copy of a table."""


class Counts(NamedTuple):
    """What was counted so far, in the order of the tree's `Log`.

    Attributes:
        ended: how often each node's call ended.
        forward: copies of the nodes' forward tables.
        others: copies of the tables of other phases.
    """

    ended: list[int]
    forward: list[Calls]
    others: list[Calls]


Growth = tuple[tuple[int, tuple[tuple["Signature", int], ...]], ...]
"""For each table that grew its place, and by how much each signature did."""


class Grown(NamedTuple):
    """By how much the counts grew, where they did. It is hashable."""

    ended: tuple[tuple[int, int], ...]
    forward: Growth
    others: Growth


_NOTHING = Counts([], [], [])

MAX_KNOWN = 1_000
"""Ways in which counts grew that are remembered for samples that grow alike."""


class Sampler:
    """Keeps the samples of one recording.

    Attributes:
        samples: the label of each sample that ended, and the place of its sums in `sums`.
        sums: what samples did; samples alike share theirs.
    """

    def __init__(self, recording: Recording, tape: Tape, accountant: Accountant) -> None:
        self.samples: list[tuple[str, int]] = []
        self.sums: list[Sums] = []
        self._log = recording.tree.log
        self._tape = tape
        self._accountant = accountant
        self._label: str | None = None
        self._open = 0
        self._before = _NOTHING
        # What the open sample did before the records were folded.
        self._folded: Sums = {}
        self._known: dict[Grown, int] = {}

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
        # What ran before, and a fold that this may bring, is not the sample's.
        self._tape.settle()
        self._label = label
        self.restart()
        self._open = token = self._open + 1
        try:
            yield
        finally:
            if self._open == token:
                self.end()

    def end(self) -> None:
        """End the sample that is open, if one is; a generator left in the middle holds it open."""
        if self._label is None:
            return
        self._tape.settle()
        grown = self._grown()
        place = None if self._folded else self._known.get(grown)
        if place is None:
            place = len(self.sums)
            self.sums.append(self._summed(grown, self._folded))
            if not self._folded:
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[grown] = place
        self.samples.append((self._label, place))
        self._label, self._folded, self._before = None, {}, _NOTHING

    def bank(self) -> None:
        """Put aside what the open sample did so far: the records are about to be folded."""
        if self._label is not None:
            self._folded = self._summed(self._grown(), self._folded)
        self._known = {}

    def restart(self) -> None:
        """From here on, what the open sample does is told by the counts as they are now."""
        if self._label is not None:
            self._before = self._counts()

    def _counts(self) -> Counts:
        nodes = self._log.nodes
        ended = [node.calls for node in nodes]
        for node in self._tape.unfinished():
            ended[nodes.index(node)] -= 1
        forward = [node.forward.calls.copy() for node in nodes]
        return Counts(ended, forward, [table.calls.copy() for table in self._log.tables])

    def _grown(self) -> Grown:
        """What was counted since the sample began."""
        now, before = self._counts(), self._before
        more = [*map(sub, now.ended, before.ended), *now.ended[len(before.ended) :]]
        return Grown(
            tuple([pair for pair in enumerate(more) if pair[1]]),
            _growth(now.forward, before.forward),
            _growth(now.others, before.others),
        )

    def _summed(self, grown: Grown, start: Sums) -> Sums:
        """`start` with what grew added."""
        nodes, tables = self._log.nodes, self._log.tables
        sums = dict(start)
        for place, more in grown.ended:
            _sum(sums, nodes[place]).calls += more
        for growth, owners in ((grown.forward, nodes), (grown.others, [t.node for t in tables])):
            for place, records in growth:
                tally = _sum(sums, owners[place])
                for signature, more in records:
                    tally.add_cost(self._accountant.cost(signature)[0].cost, more)
        return sums


def _sum(sums: Sums, node: Node) -> Tally:
    tally = sums.get(node.info)
    if tally is None:
        tally = sums[node.info] = Tally()
    return tally


def _growth(after: Sequence[Calls], before: Sequence[Calls]) -> Growth:
    pairs = enumerate(zip_longest(after, before, fillvalue=_EMPTY))
    return tuple([(place, _more(now, then)) for place, (now, then) in pairs if now != then])


def _more(after: Calls, before: Calls) -> tuple[tuple[Signature, int], ...]:
    grown = [(signature, count - before.get(signature, 0)) for signature, count in after.items()]
    return tuple([pair for pair in grown if pair[1]])


_EMPTY: Calls = {}

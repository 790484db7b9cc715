"""What one sample of many adds to a recording: the difference between the counts before it and after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dispatchcount.capture.record import Node, Record, Recording, Signature

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info


class Meter:
    """Adds up, by module, what runs while a sample is open. Costs only the records that changed."""

    def __init__(self, label: str, recording: Recording, add: Callable[[Any, Signature, int], None], new: Callable[[], Any]) -> None:
        """`new` makes an empty sum, `add` puts a number of calls of a signature on it."""
        self.label = label
        self.modules: dict[Info, Any] = {}
        self._recording = recording
        self._add = add
        self._new = new
        self._records: dict[Record, int] = {}
        self._calls: dict[Node, int] = {}
        self._snapshot()

    def _snapshot(self) -> None:
        self._records = {r: r.count for node in self._recording.root.walk() for _, table in node.tables() for r in table.values()}
        self._calls = {node: node.calls for node in self._recording.root.walk()}

    def bank(self) -> None:
        """Add what ran since the sample began, or since the last call. Also called before records are folded away."""
        for node in self._recording.root.walk():
            calls = node.calls - self._calls.get(node, 0)
            changed = [
                (signature, more)
                for _, table in node.tables()
                for signature, record in table.items()
                if (more := record.count - self._records.get(record, 0))
            ]
            if calls or changed:
                if node.info not in self.modules:
                    self.modules[node.info] = self._new()
                total = self.modules[node.info]
                total.calls += calls
                for signature, more in changed:
                    self._add(total, signature, more)

    def restart(self) -> None:
        """Begin counting afresh, after records were folded away."""
        self._snapshot()

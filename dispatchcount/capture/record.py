"""What a block did, before anything is costed: a tree of module calls, and at each node how often each distinct op ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dispatchcount.rules.cost import Shape

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info
    from dispatchcount.capture.plan import Plan, Pseudo
    from dispatchcount.capture.sampling import Meter

FORWARD, BACKWARD, DOUBLE_BACKWARD, RECOMPUTE, OPTIMIZER = range(5)
"""Indices of `Node.tables`; `dispatchcount.report.rows.PHASES` names them in the same order."""

MAX_RECORDS = 20_000
"""Distinct records held before they are costed and folded, so that a run whose shapes never repeat stays small."""

MAX_SIGNATURES = 64
"""Input signatures told apart for one module under one caller; further calls share one node."""

OTHER = "…"
"""The signature of calls beyond `MAX_SIGNATURES`."""

Key = Any
"""Whatever tells two calls of an operator apart: a hashable built by `dispatchcount.capture.key`."""


class Signature:
    """One distinct call of an operator: what a rule needs to cost it. Shared by every module that makes the same call."""

    __slots__ = ("args", "cost", "dtype", "function", "kwargs", "out", "plan")

    def __init__(
        self, plan: Plan | Pseudo, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, dtype: str, function: str = ""
    ) -> None:
        self.plan = plan
        self.args = args
        self.kwargs = kwargs
        self.out = out
        self.dtype = dtype
        self.function = function
        self.cost: Any = None  # filled in by whoever costs it, once

    @property
    def text(self) -> str:
        """The operands' shapes, for people."""
        parts = [_text(arg) for arg in self.args] + [f"{name}={_text(arg)}" for name, arg in self.kwargs.items()]
        return ", ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, Shape):
        return repr(value)
    if isinstance(value, tuple | list):
        inner = ", ".join(_text(item) for item in value[:8]) + (", …" if len(value) > 8 else "")
        return f"[{inner}]"
    return str(value)


class Record:
    """Calls of one signature at one node in one phase."""

    __slots__ = ("count", "signature", "time_ns")

    def __init__(self, signature: Signature) -> None:
        self.count = 1
        self.signature = signature
        self.time_ns = 0


Table = dict[Key, Record]


class Node:
    """A stack of module calls: `info` called with inputs of `signature` from inside `parent`."""

    __slots__ = ("calls", "children", "folded", "info", "parent", "signature", "tables")

    def __init__(self, parent: Node | None, info: Info, signature: Any) -> None:
        self.parent = parent
        self.info = info
        self.signature = signature
        self.calls = 0
        self.children: dict[Any, Node] = {}
        self.tables: tuple[Table, ...] = ({}, {}, {}, {}, {})
        self.folded: dict[Any, Any] = {}  # costed rows of records that were dropped; see `Recording.fold`

    def child(self, info: Info, signature: Any) -> Node:
        """The node of a call from here, made when first asked for."""
        node = self.children.get((info, signature))
        if node is None:
            if sum(1 for known, _ in self.children if known is info) >= MAX_SIGNATURES:
                signature = OTHER
                node = self.children.get((info, signature))
            if node is None:
                node = self.children[info, signature] = Node(self, info, signature)
        return node

    def walk(self) -> Iterator[Node]:
        """This node and all below it, callers first."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children.values()))

    def lineage(self) -> list[Node]:
        """From the root to this node."""
        nodes = [self]
        while nodes[-1].parent is not None:
            nodes.append(nodes[-1].parent)
        return nodes[::-1]


class Recording:
    """The record of one block, and the signatures it shares."""

    def __init__(self, root: Info, fold: Callable[[Node], None]) -> None:
        self.root = Node(None, root, "")
        self.signatures: dict[Key, Signature] = {}
        self.devices: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self.samples: list[Meter] = []
        self.meter: Meter | None = None
        self._fold = fold
        self._size = 0

    def add(self, table: Table, key: Key, make: Callable[[], Signature]) -> Record:
        """Enter the first call of `key` in `table`; `make` describes it if no other module made the same call before."""
        signature = self.signatures.get(key)
        if signature is None:
            signature = self.signatures[key] = make()
        record = table[key] = Record(signature)
        self._size += 1
        if self._size > MAX_RECORDS:
            self.fold()
        return record

    def fold(self) -> None:
        """Cost all records and keep only their sums by operator, phase and dtype, so that memory stays bounded."""
        if self.meter is not None:
            self.meter.bank()
        for node in self.root.walk():
            self._fold(node)
            for table in node.tables:
                table.clear()
        self.signatures.clear()
        self._size = 0
        if self.meter is not None:
            self.meter.restart()

"""What a block did, before anything is costed.

It is a tree of module calls, with the number of calls of each operator at each node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakMethod

from dispatchcount.report.rows import FORWARD

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info
    from dispatchcount.capture.signature import Signature

MAX_RECORDS = 20_000
"""Records held before they are costed and folded, so that a run whose shapes never repeat stays
small.
"""

MAX_DISTINCT = 5_000
"""Signatures known before the same is done: each takes as much memory as twenty records of it."""

MAX_NODES = 5_000
"""Nodes told apart by module, input shapes and caller.

Beyond that many, only the first input shapes of each module are.
"""

MAX_INPUTS = 8
"""Input shapes still told apart, beyond `MAX_NODES`, for one module under one caller; further calls
share one node. Also the output shapes told apart at one node.
"""

OTHER = "…"
"""The shapes of those calls."""


class Issued(NamedTuple):
    """How collectives came about that are counted for the module whose data move.

    Attributes:
        by: the module that ran.
        control: True if they carry no data of the model's; see `dispatchcount.report.rows.Entry`.
    """

    by: Info
    control: bool


class Table:
    """The records of one node in one phase. Those of collectives are apart.

    Attributes:
        node: the node.
        phase: the phase; one of `dispatchcount.report.rows.PHASES`.
        issued: how its calls came about, if they are collectives; None for all other calls.
        calls: how often each distinct call was made.
        ns: nanoseconds spent in the calls of each signature, where time is measured; None before
            the first.
    """

    __slots__ = ("calls", "issued", "node", "ns", "phase")

    node: Node
    phase: str
    issued: Issued | None
    calls: dict[Signature, int]
    ns: dict[Signature, int] | None

    @classmethod
    def at(cls, node: Node, phase: str, issued: Issued | None = None) -> Table:
        """A new one. There is one for each node, and an `__init__` would take longer."""
        table = cls()
        table.node, table.phase, table.calls, table.ns = node, phase, {}, None
        table.issued = issued
        return table

    def spend(self, signature: Signature, ns: int) -> None:
        """Add to the time of the calls of `signature`."""
        if self.ns is None:
            self.ns = {}
        self.ns[signature] = self.ns.get(signature, 0) + ns

    def clear(self) -> None:
        """Drop all counts and times."""
        self.calls.clear()
        self.ns = None


Place = tuple[Table, "Signature"]
"""Where a call was counted."""


class Log:
    """What a tree has, in the order in which it was made.

    Attributes:
        nodes: all nodes.
        tables: the tables of other phases than forward, and of collectives.
        late: how many nodes beyond `MAX_NODES` a caller has for a module.
    """

    __slots__ = ("late", "nodes", "tables")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tables: list[Table] = []
        self.late: Counter[tuple[Node, Info]] = Counter()


class Node:
    """A stack of module calls: `info` called, with inputs of certain shapes, from inside `parent`.

    Attributes:
        parent: the node of the caller; None for the root, which stands for work outside of modules.
        info: the module.
        inputs: the shapes of its inputs; see `dispatchcount.capture.inputs`.
        calls: how often it was called so.
        output: the shapes of what the latest of these calls that returned any did return; None
            before. See `dispatchcount.capture.inputs.output_shapes`.
        outputs: the distinct ones, in the order in which they were first returned.
        children: calls from here, by module and input shapes.
        forward: the table of the forward phase; `table` makes those of other phases when they are
            needed.
        log: what the tree has, the same for all its nodes.
    """

    __slots__ = (
        "_others",
        "calls",
        "children",
        "forward",
        "info",
        "inputs",
        "log",
        "output",
        "outputs",
        "parent",
    )

    def __init__(self, parent: Node | None, info: Info, inputs: Any) -> None:
        self.parent = parent
        self.info = info
        self.inputs = inputs
        self.calls = 0
        self.output: Any = None
        self.outputs: tuple[Any, ...] = ()
        self.children = _NONE
        # This is `Table.at`, written out: each block makes a node for each module that it calls.
        self.forward = table = Table()
        table.node, table.phase, table.calls, table.ns = self, FORWARD, {}, None
        table.issued = None
        self._others: dict[Any, Table] | None = None
        self.log: Log = Log() if parent is None else parent.log
        self.log.nodes.append(self)

    def table(self, phase: str) -> Table:
        """The records of one phase."""
        return self.forward if phase == FORWARD else self._other(phase, phase, None)

    def collectives(self, phase: str, issued: Issued) -> Table:
        """The records of collectives of one phase that came about in one way."""
        return self._other((phase, issued), phase, issued)

    def _other(self, key: Any, phase: str, issued: Issued | None) -> Table:
        if self._others is None:
            self._others = {}
        table = self._others.get(key)
        if table is None:
            table = self._others[key] = Table.at(self, phase, issued)
            self.log.tables.append(table)
        return table

    def tables(self) -> Iterator[Table]:
        """The table of the forward phase, and those of other phases and of collectives."""
        yield self.forward
        yield from (self._others or {}).values()

    def child(self, info: Info, inputs: Any) -> Node:
        """The node of a call from here, made when first asked for."""
        node = self.children.get((info, inputs))
        if node is None and len(self.log.nodes) >= MAX_NODES:
            inputs = self._kept(info, inputs)
            node = self.children.get((info, inputs))
        if node is None:
            if self.children is _NONE:
                self.children = {}
            node = self.children[info, inputs] = Node(self, info, inputs)
        return node

    def _kept(self, info: Info, inputs: Any) -> Any:
        """The input shapes of a new node once the tree is full.

        The first further ones of each module under this caller are kept; later ones share `OTHER`.
        """
        if self.log.late[self, info] >= MAX_INPUTS:
            return OTHER
        self.log.late[self, info] += 1
        return inputs

    def returned(self, shapes: Any) -> None:
        """Note the shapes of what a call returned; beyond `MAX_INPUTS` only that there are more."""
        self.output = shapes
        if shapes not in self.outputs:
            more = shapes if len(self.outputs) < MAX_INPUTS else OTHER
            self.outputs = tuple(dict.fromkeys((*self.outputs, more)))

    def called(self, info: Info) -> bool:
        """True if that module was called from here."""
        return any(known is info for known, _ in self.children)

    def descend(self) -> Iterator[Node]:
        """This node and all below it, callers first."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children.values()))


_NONE: dict[tuple[Info, Any], Node] = {}
"""The children of most nodes; never written."""


class Recording:
    """The record of one block.

    Attributes:
        tree: the root node, which also holds work done outside any module. What waits on the `Tape`
            is not in it yet.
        signatures: the distinct calls by key; shared with other blocks under the same rules.
        pseudos: the same of things that are no operator calls; private to this block.
        block: stands for this block in `Signature.block`, where the block must not be kept alive.
        latest: the node of each module's latest call.
        devices: torch devices seen.
        notes: limits that were met, one sentence each.
    """

    def __init__(
        self, root: Info, signatures: dict[Any, Signature], fold: Callable[[], None]
    ) -> None:
        """`fold`, a method, is called when there are too many records; it must `clear` them."""
        self.tree = Node(None, root, "")
        self.signatures = signatures
        self.pseudos: dict[Any, Signature] = {}
        self.block = object()
        self.latest: dict[Info, Node] = {}
        self.devices: dict[Any, None] = {}
        self.notes: dict[str, None] = {}
        # How many more records may be made before a fold.
        self._room = MAX_RECORDS
        self._fold = WeakMethod(fold)  # its owner owns this

    def learn(self, key: Any, signature: Signature) -> Signature:
        """Keep the signature of a call that is unlike all calls before it."""
        self.signatures[key] = signature
        if len(self.signatures) >= MAX_DISTINCT:
            self._room = 0
        return signature

    def new(self, calls: dict[Signature, int], signature: Signature) -> None:
        """Enter the first call of `signature` in the calls of a table."""
        if not self._room:
            fold = self._fold()
            if fold is None:
                self.clear()
            else:
                fold()
        self._room -= 1
        calls[signature] = 1

    def clear(self) -> None:
        """Drop all records and signatures; nodes stay."""
        for node in self.tree.descend():
            for table in node.tables():
                table.clear()
        self.signatures.clear()
        self.pseudos.clear()
        self._room = MAX_RECORDS

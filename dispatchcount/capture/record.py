"""What a block did, before anything is costed: a tree of module calls, and at each node how often each distinct op ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dispatchcount.rules.core.shape import Shape, shapes

if TYPE_CHECKING:
    from dispatchcount.capture.names import Info
    from dispatchcount.capture.plan import Plan, Pseudo

FORWARD, BACKWARD, DOUBLE_BACKWARD, RECOMPUTE, OPTIMIZER = range(5)
"""Phases, for `Node.table`; `dispatchcount.report.rows.PHASES` names them in the same order."""

MAX_RECORDS = 20_000
"""Distinct records held before they are costed and folded, so that a run whose shapes never repeat stays small."""

MAX_DISTINCT = 5_000
"""Distinct calls known before the same is done: each takes as much memory as twenty records of it."""

MAX_NODES = 5_000
"""Calls told apart by module, input signature and caller; beyond that many, only the first signatures of each are."""

MAX_SIGNATURES = 8
"""Input signatures still told apart, beyond `MAX_NODES`, for one module under one caller; further calls share one node."""

OTHER = "…"
"""The signature of those calls."""

Key = Any
"""Whatever tells two calls of an operator apart: a hashable built by `dispatchcount.capture.key`."""


class Signature:
    """One distinct call of an operator: what a rule needs to cost it. Shared by every module that makes the same call."""

    __slots__ = ("args", "cost", "function", "kwargs", "out", "plan", "seen")

    def __init__(
        self,
        plan: Plan | Pseudo,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
        function: str,
    ) -> None:
        self.plan = plan
        self.args = args
        self.kwargs = kwargs
        self.out = out
        self.function = function
        self.cost: Any = None  # filled in by whoever costs it, once
        self.seen: Any = None  # by which block last

    @property
    def dtype(self) -> str:
        """What it works in: the dtype of the first floating or complex operand, else of the first one, else ``""``."""
        found = [shape.dtype for shape in shapes((self.args, self.kwargs, self.out))]
        return next((d for d in found if "float" in d or "complex" in d), found[0] if found else "")

    @property
    def text(self) -> str:
        """The operands' shapes, for people."""
        parts = [_text(arg) for arg in self.args] + [
            f"{name}={_text(arg)}" for name, arg in self.kwargs.items()
        ]
        return ", ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, Shape):
        return repr(value)
    if isinstance(value, tuple | list):
        inner = ", ".join(_text(item) for item in value[:8]) + (", …" if len(value) > 8 else "")
        return f"[{inner}]"
    return str(value)


Table = dict[Signature, int]
"""How often each distinct call was made, at one node in one phase."""

Place = tuple[Table, Signature]
"""Where a call was counted."""


class Log:
    """What a tree has.

    Attributes:
        nodes: all of them; tables: those of other phases than forward, with the node of each. Both in the order they were made.
        late: how many nodes beyond `MAX_NODES` a caller has for a module.
    """

    __slots__ = ("late", "nodes", "tables")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tables: list[tuple[Node, Table]] = []
        self.late: Counter[tuple[Node, Info]] = Counter()


class Node:
    """A stack of module calls: `info` called with inputs of `signature` from inside `parent`.

    Attributes:
        forward: the table of the forward phase; `table` makes those of the others when they are needed.
        children: calls from here, by module and signature.
        folded: sums of records that were dropped; see `Recording.fold`.
        log: what the tree has, for all its nodes.
    """

    __slots__ = (
        "_others",
        "calls",
        "children",
        "folded",
        "forward",
        "info",
        "log",
        "parent",
        "signature",
    )

    def __init__(self, parent: Node | None, info: Info, signature: Any) -> None:
        self.parent = parent
        self.info = info
        self.signature = signature
        self.calls = 0
        self.children = _NONE
        self.forward: Table = {}
        self.folded: Any = None
        self._others: dict[int, Table] | None = None
        self.log: Log = Log() if parent is None else parent.log
        self.log.nodes.append(self)

    def table(self, phase: int) -> Table:
        """The records of one phase."""
        if phase == FORWARD:
            return self.forward
        if self._others is None:
            self._others = {}
        table = self._others.get(phase)
        if table is None:
            table = self._others[phase] = {}
            self.log.tables.append((self, table))
        return table

    def tables(self) -> Iterator[tuple[int, Table]]:
        """The phases that have records, with them."""
        yield FORWARD, self.forward
        yield from (self._others or {}).items()

    def child(self, info: Info, signature: Any) -> Node:
        """The node of a call from here, made when first asked for."""
        node = self.children.get((info, signature))
        if node is None and len(self.log.nodes) >= MAX_NODES:
            signature = self._kept(info, signature)
            node = self.children.get((info, signature))
        if node is None:
            if self.children is _NONE:
                self.children = {}
            node = self.children[info, signature] = Node(self, info, signature)
        return node

    def _kept(self, info: Info, signature: Any) -> Any:
        """What a new call goes by in a tree that is full: its own signature, unless its module got many more here since."""
        if self.log.late[self, info] >= MAX_SIGNATURES:
            return OTHER
        self.log.late[self, info] += 1
        return signature

    def called(self, info: Info) -> bool:
        """Whether that module was called from here."""
        return any(known is info for known, _ in self.children)

    def walk(self) -> Iterator[Node]:
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
        tree: the node of what runs outside every module; `root` is the same, with everything in the tree that ran so far.
        settle: puts into the tree what waits to be.
        signatures: by key; shared with other blocks. pseudos: those of what is no operator call, this block's own.
        token: stands for this block where it must not be kept alive.
        devices: torch devices seen. notes: limits met, one sentence each.
        size: records, all tables together.
        before_fold, after_fold: called around a fold.
    """

    def __init__(
        self, root: Info, fold: Callable[[Node], None], signatures: dict[Key, Signature]
    ) -> None:
        """`signatures`: those known from earlier blocks under the same rules, which this one shares."""
        self.tree = Node(None, root, "")
        self.settle: Callable[[], None] = lambda: None
        self.signatures = signatures
        self.pseudos: dict[Key, Signature] = {}
        self.token = object()
        self.devices: dict[Any, None] = {}
        self.notes: dict[str, None] = {}
        self.size = 0
        self.before_fold: Callable[[], None] | None = None
        self.after_fold: Callable[[], None] | None = None
        self._fold = fold

    @property
    def root(self) -> Node:
        """The node of what runs outside every module."""
        self.settle()
        return self.tree

    def new(self, table: Table, signature: Signature) -> None:
        """Enter the first call of `signature` in `table`."""
        if self.size >= MAX_RECORDS or len(self.signatures) >= MAX_DISTINCT:
            self.fold()
        self.size += 1
        table[signature] = 1

    def fold(self) -> None:
        """Cost all records and keep only their sums by operator, phase and dtype, so that memory stays bounded."""
        if self.before_fold is not None:
            self.before_fold()
        for node in self.tree.walk():
            self._fold(node)
            for _, table in node.tables():
                table.clear()
        self.signatures.clear()
        self.pseudos.clear()
        self.size = 0
        if self.after_fold is not None:
            self.after_fold()

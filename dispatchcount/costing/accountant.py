"""Adds up what the calls in a recording cost, by operator, phase and dtype."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dispatchcount.costing.apply import Costed, cost_of
from dispatchcount.costing.nonzero import weighed
from dispatchcount.report.rows import COUNTED, FORWARD, UNSEEN, ZERO
from dispatchcount.report.tally import Tally
from dispatchcount.rules.core.group import Group
from dispatchcount.rules.core.registry import Registry

if TYPE_CHECKING:
    from dispatchcount.capture.modules import Info
    from dispatchcount.capture.observers.weights import Weights
    from dispatchcount.capture.record import Issued, Node, Table
    from dispatchcount.capture.signature import Signature

MAX_SHAPES = 8
"""Distinct argument lists that an issue shows."""


class Traffic(NamedTuple):
    """What the row of a collective says besides."""

    group: Group
    issued: Issued


RowKey = tuple[str, str, str, str, str, Traffic | None]
"""Operator, phase, dtype, status, Python-level function, and what there is of a collective."""

Rows = dict[RowKey, Tally]

Issues = dict[tuple[str, str], "Issue"]
"""By operator and status."""

Costs = dict["Signature", tuple[Costed, str]]
"""What one call costs, and the dtype that it works in, by the call."""


class Issue:
    """An operator that is not counted, as it adds up.

    Attributes:
        message: why it is not.
        calls: how often it was called.
        nbytes: bytes that it read and wrote.
        infos: the modules that called it, in the order they did.
        shapes: distinct argument lists, `MAX_SHAPES` at the most.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        self.calls = 0
        self.nbytes = 0
        self.infos: dict[Info, None] = {}
        self.shapes: dict[str, None] = {}

    def add(self, info: Info, shapes: str, calls: int, nbytes: int) -> None:
        """Add calls of it in `info`."""
        self.calls += calls
        self.nbytes += nbytes
        self.infos[info] = None
        if len(self.shapes) < MAX_SHAPES:
            self.shapes[shapes] = None

    def copy(self) -> Issue:
        """One that adds up on its own from here."""
        issue = Issue(self.message)
        issue.calls, issue.nbytes = self.calls, self.nbytes
        issue.infos, issue.shapes = dict(self.infos), dict(self.shapes)
        return issue


class Accountant:
    """Costs what a recording holds. Rules are asked once for each distinct call.

    Attributes:
        rules: the rules.
        issues: operators in folded records that are not counted.
        unweighed: operators of whose MACs it is not known if their weight is zero.
    """

    def __init__(
        self, rules: Registry, costs: Costs | None = None, weights: Weights | None = None
    ) -> None:
        """Start with what is known.

        Args:
            rules: the rules.
            costs: what calls are known to cost under these rules as they are now; new costs are
                added.
            weights: which weights calls multiplied with, if that is asked for.
        """
        self.rules = rules
        self.issues: Issues = {}
        self.unweighed: dict[str, None] = {}
        self._weights = weights
        self._costs: Costs = {} if costs is None else costs
        self._version = rules.version
        # Sums of records that were dropped, by node.
        self._folded: dict[Node, Rows] = {}
        # Each key once: an operator has equal keys under all stacks of module calls that it runs
        # in.
        self._keys: dict[RowKey, RowKey] = {}

    def fold(self, nodes: Iterable[Node]) -> None:
        """Add what the nodes' records cost to the sums kept here; the caller then drops them."""
        for node in nodes:
            if any(table.calls for table in node.tables()):
                self._add_records(self._folded.setdefault(node, {}), node, self.issues)
        self._costs.clear()

    def rows(self, node: Node, issues: Issues) -> Rows:
        """A node's sums: those folded before, and its records.

        Operators that are not counted go to `issues`.
        """
        rows: Rows = {}
        for key, folded in self._folded.get(node, {}).items():
            rows[key] = tally = Tally()
            tally.add(folded)
            tally.calls = folded.calls
        self._add_records(rows, node, issues)
        return rows

    def _add_records(self, rows: Rows, node: Node, issues: Issues) -> None:
        for table in node.tables():
            for signature, calls in table.calls.items():
                tally = self._add_record(rows, table, signature, calls, issues)
                if table.ns is not None:
                    tally.time_ns += table.ns.get(signature, 0)

    def _add_record(
        self, rows: Rows, table: Table, signature: Signature, calls: int, issues: Issues
    ) -> Tally:
        costed, dtype = self.cost(signature)
        name = signature.plan.name
        traffic = None if table.issued is None else Traffic(signature.group, table.issued)
        key = (name, table.phase, dtype, costed.status, signature.function, traffic)
        tally = rows.get(key)
        if tally is None:
            tally = rows[self._keys.setdefault(key, key)] = Tally()
        cost = costed.cost
        if cost.activations and table.phase != FORWARD:
            # Activations are what a layer hands on in the forward; a gradient is not one.
            cost = replace(cost, activations=0)
        tally.add_cost(cost, calls)
        tally.calls += calls
        if self._weights is not None and cost.macs:
            entry = signature.plan.entry(self.rules)
            done = weighed(self._weights, table, signature, calls, cost.macs, entry)
            tally.nonzero_macs += done.nonzero
            tally.weighed_macs += done.known
            if done.known < cost.macs * calls:
                self.unweighed[name] = None
        if costed.status not in (COUNTED, ZERO):
            issue = issues.setdefault((name, costed.status), Issue(costed.message))
            nbytes = (cost.bytes_read or 0) + (cost.bytes_written or 0)
            issue.add(table.node.info, signature.text, calls, nbytes * calls)
        return tally

    def cost(self, signature: Signature) -> tuple[Costed, str]:
        """What one call costs and the dtype that it works in, by the rules as they are now."""
        if self._version != self.rules.version:
            self._version, self._costs = self.rules.version, {}
        known = self._costs.get(signature)
        if known is None:
            plan = signature.plan
            costed = cost_of(
                plan.entry(self.rules),
                signature.args,
                signature.kwargs,
                signature.out,
                written=plan.unreturned,
                filled=plan.filled,
            )
            if plan.unseen:
                costed = replace(costed, status=UNSEEN)
            known = self._costs[signature] = costed, signature.dtype
        return known

"""From a trace and settings to statistics: each count is credited to the modules it was made in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from torch.jit import ScriptModule

from dispatchcount.capture.record import Node
from dispatchcount.compat._jit.kinds import CONVOLUTION
from dispatchcount.compat._jit.names import name_and_parents
from dispatchcount.compat._jit.trace import PYTHON_OP, Call, Leaf, Trace
from dispatchcount.compat._jit.treatment import Settings, Treatment
from dispatchcount.compat._jit.values import Handle

SCRIPTED = "prim::CallFunction"
"""Stands for scripted code among the unsupported operators, though all that it runs is counted."""

OPERATORS = {CONVOLUTION: "conv"}
"""Operators that have another name in results."""


@dataclass
class Statistics:
    """What an analysis found.

    Attributes:
        counts: the counts by module, then by operator.
        unsupported_ops: how often each unsupported operator ran, by module.
        uncalled_mods: the names of the modules that were never called.
    """

    counts: dict[str, Counter[str]]
    unsupported_ops: dict[str, Counter[str]]
    uncalled_mods: set[str]


class Count:
    """One pass over a trace."""

    def __init__(self, trace: Trace, aliases: Mapping[int | str, str], settings: Settings) -> None:
        names = dict.fromkeys(aliases.values())
        self._trace = trace
        self._aliases = aliases
        self._settings = settings
        self._found: set[str] = set()
        self._treatments: dict[str, Treatment] = {}
        self._scopes: dict[Node, set[str]] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        self._unsupported: dict[str, Counter[str]] = {name: Counter() for name in names}

    def statistics(self) -> Statistics:
        """All counts, credited to their modules."""
        # A custom autograd function with a treatment of its own counts as a whole, and what runs
        # in it does not count again.
        leaves = [leaf for leaf in self._trace.leaves() if not self._is_whole(leaf.inside)]

        # First see where dispatch found something, for the treatment of a kind depends on it.
        for leaf in leaves:
            if self._dispatched(leaf):
                self._found |= {leaf.kind, leaf.inside} - {""}

        # Then count: kernels by what dispatch found in them, calls by their handles.
        for leaf in leaves:
            self._count_leaf(leaf)
        for (node, call), times in self._trace.calls.items():
            if not self._is_whole(call.inside):
                self._count_call(node, call, times)
        for (node, call), times in self._trace.untraced().items():
            handled = self._treatment(call.kind) is Treatment.HANDLE
            if handled and not self._is_whole(call.inside):
                self._count_call(node, call, times)
        return Statistics(self._counts, self._unsupported, self._uncalled())

    def _treatment(self, kind: str) -> Treatment:
        known = self._treatments.get(kind)
        if known is None:
            known = self._treatments[kind] = self._settings.treatment(kind, self._found)
        return known

    def _is_whole(self, function: str) -> bool:
        """True if a custom autograd function counts as a whole, by its handle or as nothing."""
        settings = self._settings
        return function in settings.handles or function in settings.dropped

    def _dispatched(self, leaf: Leaf) -> int:
        """What dispatch counted in a kernel."""
        settings, reading = self._settings, self._settings.reading
        if reading is None:
            return 0
        read = reading.measured if leaf.kind in settings.own else reading.unhandled
        return read(leaf.tally)

    def _count_leaf(self, leaf: Leaf) -> None:
        """Credit what dispatch counted in a kernel, or list its operator, as its treatment says."""
        treatment = self._treatment(leaf.kind)
        spared = treatment is Treatment.SPARE and leaf.traced and self._spare(leaf.kind) is not None
        if treatment in (Treatment.MEASURED, Treatment.SPARE) and not spared:
            self._credit(leaf.node, {name_of(leaf.kind): self._dispatched(leaf)}, 1)
        if leaf.traced or leaf.zero or not leaf.forward:
            return
        if treatment is Treatment.UNSUPPORTED:
            self._list(leaf.node, leaf.kind, leaf.calls)
        if leaf.scripted and not isinstance(leaf.node.info.module(), ScriptModule):
            self._list(leaf.node, SCRIPTED, leaf.calls)

    def _count_call(self, node: Node, call: Call, times: int) -> None:
        """Credit what a handle counts for a call, or list its operator, as its treatment says."""
        treatment = self._treatment(call.kind)
        if treatment is Treatment.HANDLE:
            self._credit_by(self._settings.handles[call.kind], node, call, times)
        elif treatment is Treatment.SPARE:
            spare = self._spare(call.kind)
            if spare is not None:
                self._credit_by(spare, node, call, times)
        elif treatment is Treatment.UNSUPPORTED:
            # What runs inside a custom autograd function is not listed: the function is.
            makes_tensors = any(value.sizes is not None or value.items for value in call.outputs)
            if makes_tensors and not call.inside:
                self._list(node, call.kind, times)

    def _spare(self, kind: str) -> Handle | None:
        """The spare handle, which custom autograd functions do not have: their parts count."""
        reading = self._settings.reading
        return None if reading is None or kind.startswith(PYTHON_OP) else reading.spare

    def _credit_by(self, handle: Handle, node: Node, call: Call, times: int) -> None:
        counts = _counts(call.kind, handle(list(call.inputs), list(call.outputs)))
        self._credit(node, counts, times)

    def _credit(self, node: Node, counts: Mapping[str, Any], times: int) -> None:
        # Adding Counters drops what is not above 0, as the libraries do.
        credited = Counter({op: value * times for op, value in counts.items()})
        for name in self._scope(node):
            self._counts[name] += credited

    def _list(self, node: Node, kind: str, times: int) -> None:
        """List an operator as unsupported."""
        if self._treatment(kind) is not Treatment.DROPPED:
            for name in self._scope(node):
                self._unsupported[name][kind] += times

    def _scope(self, node: Node) -> set[str]:
        """The names of the modules that an operator at a node is credited to."""
        known = self._scopes.get(node)
        if known is None:
            stack = self._stack(node)
            owner = self._settings.owner
            known = self._scopes[node] = name_and_parents(stack[0]) if owner else set(stack)
        return known

    def _stack(self, node: Node | None) -> list[str]:
        """The names of the modules being called, innermost first; the root is always the last."""
        names = []
        while node is not None:
            module = node.info.module()
            name = None if module is None else self._aliases.get(id(module))
            if name is not None:
                names.append(name)
            node = node.parent
        return [*names, ""]

    def _uncalled(self) -> set[str]:
        seen: set[str] = {""}
        for node in self._trace.nodes():
            if node.calls:
                seen |= self._scope(node)
        return set(self._counts) - seen


def name_of(kind: str) -> str:
    """The name of an operator in results: ``"linear"`` for ``"aten::linear"``."""
    return OPERATORS.get(kind) or _simple(kind)


def _simple(kind: str) -> str:
    return kind.partition("::")[2] or kind


def _counts(kind: str, result: Any) -> dict[str, int | float]:
    """The counts by name in what a handle returned: a number, or a mapping of numbers.

    Raises:
        ValueError: the handle returned neither.
    """
    numbers = dict(result) if isinstance(result, Mapping) else {_simple(kind): result}
    for value in numbers.values():
        if not isinstance(value, Real):
            raise ValueError(
                f"Invalid type {type(value)} for the flop count! Please use a wider type to avoid "
                f"overflow. The handle of {kind} returned it; an int will do."
            )
    # numpy's numbers have a width and would overflow where they add up.
    return {
        op: int(value) if isinstance(value, Integral) else float(value)
        for op, value in numbers.items()
    }

"""From a trace and handles to statistics: each operator's count is credited to the modules it ran in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from torch.jit import ScriptModule

from dispatchcount.capture.record import Node
from dispatchcount.compat._jit.kinds import CONVOLUTION
from dispatchcount.compat._jit.names import name_and_parents
from dispatchcount.compat._jit.trace import Call, Leaf, Trace
from dispatchcount.compat._jit.values import Handle
from dispatchcount.report.tally import Tally

SCRIPTED = "prim::CallFunction"
"""Stands for scripted code in the list of unsupported operators; what it runs is counted by operator."""

OPERATORS = {CONVOLUTION: "conv"}
"""Operators that go by another name in results."""


@dataclass
class Statistics:
    """Counts and unsupported operators by module, and the names of the modules that were never called."""

    counts: dict[str, Counter[str]]
    unsupported_ops: dict[str, Counter[str]]
    uncalled_mods: set[str]


@dataclass(frozen=True)
class Metric:
    """What dispatch's costs count for one kind of analysis.

    Attributes:
        measure: what a cost counts for operators without a handle.
        figure: the same for operators that have the handle the library comes with; of norms and such, their formulas' figures.
        spare: the handle of operators that have none but that `measure` finds something in; None takes what it finds.
    """

    measure: Callable[[Tally], int]
    figure: Callable[[Tally], int]
    spare: Handle | None = None


@dataclass(frozen=True)
class Settings:
    """How to count.

    Attributes:
        handles: by kind of operator. ignored: kinds that are not reported. dropped: kinds the user wants out.
        metric: what costs count; None leaves operators without a handle out.
        measured: kinds whose handle is the one the library comes with, and counts no better than dispatch does.
        owner: whether modules above by name are credited, and not those on the stack of calls.
    """

    handles: Mapping[str, Handle]
    ignored: frozenset[str]
    dropped: frozenset[str]
    metric: Metric | None
    measured: frozenset[str]
    owner: bool


class Count:
    """One pass over a trace."""

    def __init__(self, trace: Trace, aliases: Mapping[int | str, str], settings: Settings) -> None:
        names = dict.fromkeys(aliases.values())
        self._trace = trace
        self._aliases = aliases
        self._settings = settings
        self._scopes: dict[Node, set[str]] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        self._unsupported: dict[str, Counter[str]] = {name: Counter() for name in names}

    def statistics(self) -> Statistics:
        """Everything credited."""
        leaves = [leaf for leaf in self._trace.leaves() if not self._replaced(leaf.inside)]
        counted = self._leaves(leaves)
        for (node, call), times in self._trace.calls.items():
            if not self._replaced(call.inside):
                self._call(node, call, times, counted)
        for (node, call), times in self._trace.untraced().items():
            if self._called(call.kind) and not self._replaced(call.inside):
                self._call(node, call, times, counted)
        return Statistics(self._counts, self._unsupported, self._uncalled())

    def _leaves(self, leaves: list[Leaf]) -> set[str]:
        """Credit what dispatch counted for kinds that no handle is called for; those kinds, and the functions around them."""
        settings, metric, counted, totals = (
            self._settings,
            self._settings.metric,
            {""},
            Counter[str](),
        )
        for leaf in leaves:
            value = (
                0
                if metric is None
                else (metric.figure if leaf.kind in settings.measured else metric.measure)(
                    leaf.tally
                )
            )
            totals[leaf.kind] += value
            if value:
                counted |= {leaf.kind, leaf.inside}
                spared = leaf.traced and metric is not None and metric.spare is not None
                if not self._called(leaf.kind) and not spared and leaf.kind not in settings.dropped:
                    self._credit(leaf.node, Counter({name_of(leaf.kind): value}), 1)
        for leaf in leaves:
            if not leaf.traced and not leaf.zero and leaf.forward:
                if not totals[leaf.kind]:
                    self._unknown(leaf.node, leaf.kind, leaf.calls)
                if leaf.scripted and not isinstance(leaf.node.info.module(), ScriptModule):
                    self._unknown(leaf.node, SCRIPTED, leaf.calls)
        return counted

    def _call(self, node: Node, call: Call, times: int, counted: set[str]) -> None:
        handle = self._settings.handles.get(call.kind)
        if call.kind in self._settings.dropped:
            return
        if handle is None and call.kind in counted:
            handle = None if self._settings.metric is None else self._settings.metric.spare
            if handle is None:
                return
        if handle is None:
            makes_tensors = any(value.sizes is not None or value.items for value in call.outputs)
            if (
                makes_tensors and not call.inside
            ):  # else the custom autograd function around it is listed
                self._unknown(node, call.kind, times)
        elif call.kind not in self._settings.measured:
            self._credit(
                node, _counts(call.kind, handle(list(call.inputs), list(call.outputs))), times
            )

    def _called(self, kind: str) -> bool:
        """Whether a handle is called for this kind: there is one, and dispatch does not know better."""
        return kind in self._settings.handles and kind not in self._settings.measured

    def _replaced(self, inside: str) -> bool:
        """Whether a custom autograd function counts as a whole, so that what runs in it does not."""
        return bool(inside) and (
            inside in self._settings.handles or inside in self._settings.dropped
        )

    def _credit(self, node: Node, counts: Mapping[str, Any], times: int) -> None:
        for name in self._scope(node):
            self._counts[name] += Counter(
                {op: value * times for op, value in counts.items()}
            )  # drops what is not above 0

    def _unknown(self, node: Node, kind: str, times: int) -> None:
        if kind not in self._settings.ignored and kind not in self._settings.dropped:
            for name in self._scope(node):
                self._unsupported[name][kind] += times

    def _scope(self, node: Node) -> set[str]:
        """The modules that an operator at a node is credited to."""
        known = self._scopes.get(node)
        if known is None:
            stack = self._stack(node)
            known = self._scopes[node] = (
                name_and_parents(stack[0]) if self._settings.owner else set(stack)
            )
        return known

    def _stack(self, node: Node | None) -> list[str]:
        """Names of the modules being called, innermost first; the root is always one."""
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
    """What an operator goes by in results: ``"aten::linear"`` is ``"linear"``, ``"aten::_convolution"`` is ``"conv"``."""
    return OPERATORS.get(kind) or _simple(kind)


def _simple(kind: str) -> str:
    return kind.partition("::")[2] or kind


def _counts(kind: str, result: Any) -> dict[str, int | float]:
    """What the handle of an operator counted, by name: it returned a number, or a mapping of numbers.

    Raises:
        ValueError: it is neither.
    """
    numbers = dict(result) if isinstance(result, Mapping) else {_simple(kind): result}
    for value in numbers.values():
        if not isinstance(value, Real):
            raise ValueError(
                f"Invalid type {type(value)} for the flop count! Please use a wider type to avoid overflow. "
                f"The handle of {kind} returned it; an int will do."
            )
    # numpy's numbers have a width and would overflow where they add up
    return {
        op: int(value) if isinstance(value, Integral) else float(value)
        for op, value in numbers.items()
    }

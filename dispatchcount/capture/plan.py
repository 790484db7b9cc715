"""How calls of one operator are recorded: decided once per operator, read on every call."""

from __future__ import annotations

from typing import Any

import torch
from torch._ops import HigherOrderOperator, OpOverload

from dispatchcount.capture.record import Signature
from dispatchcount.rules.atomic import ATOMIC
from dispatchcount.rules.registry import Entry, Kind, Registry, candidates
from dispatchcount.rules.values import NUMBERS, VALUES

COUNT, FREE, ALLOCATE, PARTS, HIGHER = range(5)
"""`Plan.way`: record by signature; count calls only; the same, and watch the result for being filled by something unseen; run as
its parts; higher-order."""

_RELEVANT = {
    "int",
    "bool",
    "Optional[int]",
    "Optional[bool]",
    "List[int]",
    "List[bool]",
    "Optional[List[int]]",
    "str",
    "Optional[str]",
}


class Plan:
    """What to do when an operator is called.

    Attributes:
        func: the operator; held so that its id stays its own.
        name: ``"aten.addmm"``.
        packet, overload: what the registry is asked for, ``"aten::addmm"`` and ``"default"``.
        way: one of the constants above.
        scalars: whether ints and bools among the arguments can matter to a rule.
        keyless: whether all its calls are alike to a rule, for none of them costs anything.
        dynamic: whether the result's shape is not settled by the arguments' key.
        outs: names of `out=` arguments, which rules do not get.
        numbers: whether floats among the arguments matter to the rule.
        values: positions and names of integer operands whose contents matter.
        signature: that of all its calls, where their operands do not matter.
        writes: positions and names of operands that the operator writes.
        composite: runs as other operators where these are plain dense tensors.
        short: whether a call is told by the operands' key alone, or by nothing.
    """

    unseen = False

    __slots__ = (
        "composite",
        "dynamic",
        "func",
        "keyless",
        "name",
        "numbers",
        "outs",
        "overload",
        "packet",
        "scalars",
        "short",
        "signature",
        "values",
        "way",
        "writes",
    )

    def __init__(self, func: Any, rules: Registry) -> None:
        self.func = func
        self.outs: frozenset[str] = frozenset()
        self.values: tuple[int | str, ...] = ()
        self.writes: frozenset[int | str] = frozenset()
        self.composite = self.numbers = False
        self.scalars = self.dynamic = True
        self.signature = Signature(self, (), {}, None, "")
        if isinstance(func, OpOverload):
            self._overload(func, rules)
        else:
            name = func.name() if isinstance(func, HigherOrderOperator) else getattr(func, "__name__", str(func))
            self.packet, self.overload, self.name = f"higher_order::{name}", "", f"higher_order.{name}"
            self.way = HIGHER
        self.keyless = self.way in (FREE, ALLOCATE)
        self.short = self.way == FREE or (self.way == COUNT and not (self.dynamic or self.numbers or self.values))

    def entry(self, rules: Registry) -> Entry | None:
        """What the rules say of it now; they may have changed since it ran."""
        return rules.get(self.packet, self.overload)

    def _overload(self, func: OpOverload, rules: Registry) -> None:
        schema = func._schema
        self.packet, self.overload = schema.name, func._overloadname
        self.name = schema.name.replace("::", ".")
        self.outs = frozenset(a.name for a in schema.arguments if a.kwarg_only and _written(a))
        undeclared = func.namespace in _UNDECLARED
        self.writes = frozenset(
            a.name if a.kwarg_only else i for i, a in enumerate(schema.arguments) if undeclared or _written(a)
        )
        self.scalars = any(str(argument.type) in _RELEVANT for argument in schema.arguments)
        tags = func.tags
        self.dynamic = func.namespace != "aten" or torch.Tag.dynamic_output_shape in tags
        entry = rules.get(self.packet, self.overload)
        self.numbers = any(name in NUMBERS for name in candidates(self.packet))
        wanted = VALUES.get(self.packet, ())
        self.values = tuple(a.name if a.kwarg_only else i for i, a in enumerate(schema.arguments) if a.name in wanted)
        self.composite = (entry is None or entry.kind is not Kind.FREE) and runs_as_parts(func.name())
        self.way = self._way(entry)

    def _way(self, entry: Entry | None) -> int:
        if entry is not None and entry.kind is Kind.FREE:
            return ALLOCATE if self.packet in _ALLOCATORS else FREE
        if self.composite and self.packet not in ATOMIC:
            return PARTS
        return COUNT


class Plans:
    """The plans of the operators met so far under one registry.

    Attributes:
        short: those of operators that take the short way, by the operator's id.
    """

    def __init__(self, rules: Registry) -> None:
        self.short: dict[int, Plan] = {}
        self._known: dict[int, Plan] = {}
        self._rules = rules

    def of(self, func: Any) -> Plan:
        """The plan of an operator."""
        plan = self._known.get(id(func))
        if plan is None:
            plan = self._known[id(func)] = Plan(func, self._rules)
            if plan.short:
                self.short[id(func)] = plan
        return plan


class Pseudo:
    """Something that ran without being an operator call: a kernel that the user named, or one that nothing saw."""

    __slots__ = ("_entry", "name", "unseen", "way")

    def __init__(self, name: str, entry: Entry, *, unseen: bool = False) -> None:
        self.name = name
        self.way = COUNT
        self.unseen = unseen
        self._entry = entry

    def entry(self, rules: Registry) -> Entry:
        """Its own, whatever the rules."""
        return self._entry


def runs_as_parts(name: str) -> bool:
    """Whether torch runs the operator as others, on every device: ``silu_backward`` can, and has kernels on CPU and CUDA."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    known = torch._C._dispatch_has_kernel(name)  # TorchScript's prim:: operators are not in the dispatcher
    return known and has(name, "CompositeImplicitAutograd") and not any(has(name, backend) for backend in _BACKENDS)


_BACKENDS = ("CPU", "CUDA", "MPS", "XPU")


def _written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


_UNDECLARED = {"c10d", "fsdp"}
"""Libraries whose schemas do not say which operands an operator writes; any may be."""

_ALLOCATORS = {
    f"aten::{name}" for name in ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
}

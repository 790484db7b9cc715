"""How calls of one operator are recorded: decided once per operator, read on every call."""

from __future__ import annotations

from enum import Enum
from typing import Any

import torch

from dispatchcount.capture.composite import Composite, Kinds, composite, is_composite, kinds_of
from dispatchcount.capture.inner_keys import calls_others, keys_inside
from dispatchcount.capture.key import FOR_USERS, NUMBERS, WORDS
from dispatchcount.capture.signature import Signature
from dispatchcount.capture.torch_private import DispatchKeySet, HigherOrderOperator, OpOverload
from dispatchcount.rules.core.classify import ATOMIC
from dispatchcount.rules.core.names import candidates
from dispatchcount.rules.core.registry import USER, OpKind, Registry, RegistryEntry
from dispatchcount.rules.core.traffic import COLLECTIVES
from dispatchcount.rules.core.values import EXPONENTS, VALUES


class Way(Enum):
    """How a call of an operator is treated."""

    COUNT = "count"
    """Record it by its signature."""
    FREE = "free"
    """Record that it was called; it costs nothing."""
    ALLOCATE = "allocate"
    """The same, and watch its result for being filled by something that nothing sees."""
    PARTS = "parts"
    """Run it as its parts, if the operands let it."""
    HIGHER = "higher order"
    """See `dispatchcount.capture.higher_order`."""
    SILENT = "silent"
    """Let it through, and record nothing."""


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
        func: the operator. It is held so that its id stays its own.
        name: what reports call it, ``"aten.addmm"``.
        packet: what the registry is asked for, ``"aten::addmm"``.
        overload: the overload that the registry is asked for, ``"default"``.
        way: how calls are treated.
        short: True if a call goes the short way: the key of its operands, or no key at all,
            identifies it.
        keyless: True if every call costs nothing, so that calls need no key and share `signature`.
        signature: the signature of all calls of a keyless operator.
        kept: the types of scalar operands whose values can matter to a rule.
        values: positions and names of integer tensors whose contents matter to a rule.
        group: position or name of the process group; None if it is given none.
        collective: True if it moves data among ranks. Such a call is counted for the module whose
            data move, which need not be the one that runs.
        settled: True if the result's sizes follow from the operands' sizes, ints, bools and
            strings.
        settled_by_device: True if the results' sizes and dtypes follow from the same and the
            device.
        writes: positions and names of the operands that the operator writes.
        outs: names of ``out=`` operands that are returned too; rules do not get them by name.
        unreturned: positions and names of the operands that it writes and does not return.
        filled: positions of the operands that it writes without reading them.
        inside: the dispatch keys that are on for what its kernel calls; None if it calls nothing
            that they matter to.
    """

    unseen = False

    __slots__ = (
        "_composites",
        "collective",
        "filled",
        "func",
        "group",
        "inside",
        "kept",
        "keyless",
        "name",
        "outs",
        "overload",
        "packet",
        "settled",
        "settled_by_device",
        "short",
        "signature",
        "unreturned",
        "values",
        "way",
        "writes",
    )

    def __init__(self, func: Any, rules: Registry) -> None:
        self.func = func
        self.outs: frozenset[str] = frozenset()
        self.values: tuple[int | str, ...] = ()
        self.group: int | str | None = None
        self.collective = False
        self.writes: frozenset[int | str] = frozenset()
        self.unreturned: tuple[int | str, ...] = ()
        self.filled: frozenset[int] = frozenset()
        self.inside: DispatchKeySet | None = None
        self.settled = False
        self.settled_by_device = False
        self._composites: dict[Kinds, Composite | None] = {}
        self.kept = WORDS
        self.signature = Signature(self, (), {}, None, "")
        if isinstance(func, OpOverload):
            self._overload(func, rules)
        else:
            name = (
                func.name()
                if isinstance(func, HigherOrderOperator)
                else getattr(func, "__name__", str(func))
            )
            self.packet, self.overload = f"higher_order::{name}", ""
            self.name = f"higher_order.{name}"
            self.keyless = False
            self.way = Way.HIGHER
        # One that has no rule yet may be given one by the user as well.
        entry = self.entry(rules)
        if entry is None or entry.family == USER:
            self.kept = FOR_USERS
        self.short = self.inside is None and (
            self.way is Way.FREE
            or (self.way is Way.COUNT and not (self.values or self.outs or self.collective))
        )

    @property
    def identity(self) -> Plan:
        """What calls are told apart by, besides their operands."""
        return self

    def entry(self, rules: Registry) -> RegistryEntry | None:
        """What the rules say of it now; they may have changed since it ran."""
        return rules.get(self.packet, self.overload)

    def _overload(self, func: OpOverload, rules: Registry) -> None:
        """Read off an operator's schema, and off the rules, how its calls are recorded."""
        schema = func._schema
        self.packet, self.overload = schema.name, func._overloadname
        self.name = schema.name.replace("::", ".")
        self._read_writes(func)
        # Scalars matter if one of them can choose sizes or an algorithm, or is an exponent.
        relevant = any(str(argument.type) in _RELEVANT for argument in schema.arguments)
        self.kept = WORDS if relevant else frozenset()
        if any(name in EXPONENTS for name in candidates(self.packet)):
            self.kept |= NUMBERS
        entry = rules.get(self.packet, self.overload)
        wanted = VALUES.get(self.packet, ())
        self.values = tuple(place for place, a in _places(func) if a.name in wanted)
        # How little of a result must be in a key?
        self.settled = _settled(func)
        self.settled_by_device = self.packet in _SETTLED_BY_DEVICE
        self.keyless = entry is not None and entry.kind is OpKind.FREE
        self.group = next((place for place, a in _places(func) if _is_group(a)), None)
        self.collective = not self.keyless and (
            self.group is not None or self.packet in COLLECTIVES
        )
        self.way = self._way()
        # Collectives move data by libraries of their own.
        if not self.collective and calls_others(func, entry.family if entry else ""):
            self.inside = keys_inside(func)

    def _read_writes(self, func: OpOverload) -> None:
        """Read off the schema which operands are written, and what becomes of them."""
        schema = func._schema
        places = _places(func)
        undeclared = func.namespace in _UNDECLARED
        self.writes = frozenset(place for place, a in places if undeclared or _written(a))
        returned = {
            name
            for result in schema.returns
            if _written(result)
            for name in result.alias_info.before_set
        }
        self.unreturned = tuple(
            p for p, a in places if _written(a) and not returned & a.alias_info.before_set
        )
        self.filled = frozenset(
            i for i, a in enumerate(schema.arguments) if _written(a) and a.name.startswith(_TARGETS)
        )
        self.outs = frozenset(
            a.name
            for place, a in places
            if a.kwarg_only and _written(a) and place not in self.unreturned
        )

    def composite(self, args: Any, kwargs: Any) -> Composite | None:
        """How torch runs this call as other operators; None if it runs whole."""
        kinds = kinds_of(args, kwargs)
        if kinds not in self._composites:
            self._composites[kinds] = composite(self.func.name(), kinds)
        return self._composites[kinds]

    def _way(self) -> Way:
        if self.packet in _SILENT:
            return Way.SILENT
        if self.packet not in ATOMIC and is_composite(self.func.name()):
            return Way.PARTS
        if self.keyless:
            return Way.ALLOCATE if self.packet in _ALLOCATORS else Way.FREE
        return Way.COUNT


class Plans:
    """The plans of the operators met so far under one registry.

    Attributes:
        short: those of operators that take the short way, by the operator's id.
    """

    def __init__(self, rules: Registry) -> None:
        self.short: dict[int, Plan] = {}
        self._known: dict[int, Plan] = {}
        self._rules = rules

    def __len__(self) -> int:
        return len(self._known)

    def of(self, func: Any) -> Plan:
        """The plan of an operator."""
        plan = self._known.get(id(func))
        if plan is None:
            plan = self._known[id(func)] = Plan(func, self._rules)
            if plan.short:
                self.short[id(func)] = plan
        return plan


def _places(func: OpOverload) -> list[tuple[int | str, Any]]:
    """The arguments of an operator's schema, each with its position, or its name if it has none."""
    arguments = func._schema.arguments
    return [(a.name if a.kwarg_only else i, a) for i, a in enumerate(arguments)]


def _settled(func: OpOverload) -> bool:
    """True if the sizes of an operator's result follow from its arguments' short key.

    They do not where the result depends on values (``nonzero``), or on floats (``arange``, scale
    factors), or is several tensors: kernels of different devices leave different ones empty.
    """
    schema = func._schema
    given = [str(argument.type) for argument in schema.arguments]
    return (
        func.namespace == "aten"
        and torch.Tag.dynamic_output_shape not in func.tags
        and [str(result.type) for result in schema.returns] == ["Tensor"]
        and any(kind in ("Tensor", "List[Tensor]") for kind in given)
        and not any("List[float]" in kind for kind in given)
    )


_SETTLED_BY_DEVICE = {
    f"aten::{name}"
    for name in (
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "native_batch_norm_backward",
        "native_layer_norm",
        "native_layer_norm_backward",
        "native_group_norm",
        "native_group_norm_backward",
        "convolution_backward",
        "max_pool2d_with_indices",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention_for_cpu_backward",
    )
}
"""Operators with several results, of which kernels of one device always leave the same ones empty.

Most layers are among these, and describing three results takes as long as describing all operands.
"""


def _is_group(argument: Any) -> bool:
    """True for an argument that is a process group, or the name of one."""
    return argument.name == "group_name" or str(argument.type).endswith(".ProcessGroup")


def _written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


_TARGETS = ("out", "dst")
"""How the names of operands begin that an operator is given by position to fill, as ``out=`` is by
name.
"""

_UNDECLARED = {"c10d", "fsdp"}
"""Libraries whose schemas do not say which operands an operator writes; any may be."""

_SILENT = {"aten::detach_", "prim::device", "prim::layout"}
"""What is let through unseen, for it depends on the regime: the autograd kernel of ``detach_`` does
it all, so that no mode sees it outside inference mode; and how often a fake tensor is asked for its
device is up to who is in between."""

_ALLOCATORS = {
    f"aten::{name}"
    for name in (
        "empty",
        "empty_like",
        "empty_strided",
        "empty_permuted",
        "new_empty",
        "new_empty_strided",
    )
}

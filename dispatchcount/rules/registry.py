"""Which rule an operator has: one table from operator name to `Entry`, and the lookups over it.

Names are torch's qualified packet names, ``aten::addmm``; a single overload may be named, ``aten::foo.Bar``. An in-place packet
(``addmm_``) falls back to its functional twin's entry.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from dispatchcount.rules.cost import Cost

Rule = Callable[..., "Cost | int"]
F = TypeVar("F", bound=Callable[..., Any])


class Kind(str, Enum):
    """The class an operator is in."""

    RULE = "rule"  # a formula
    MOVE = "movement"  # zero by definition, but moves bytes: copies, gathers, fills
    FREE = "free"  # zero by definition and touches no memory: views, metadata, allocation
    COMPOSITE = "composite"  # runs as other operators, which are counted
    UNKNOWN = "unknown"  # knowingly without a rule


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the registry.

    Attributes:
        kind: the class of the operator.
        rule: shapes and scalars to a `Cost` or an int of MACs; None for FREE, COMPOSITE and UNKNOWN.
        reason: for UNKNOWN and COMPOSITE, why.
        family: the rule module it comes from, ``"matmul"``.
        takes_out: whether the rule asks for the shapes of the result, as keyword `out`.
    """

    kind: Kind
    rule: Rule | None = None
    reason: str = ""
    family: str = ""
    takes_out: bool = False


class Registry:
    """A table of entries. A local one (`Registry(parent=…)`) is consulted first and falls back to its parent."""

    def __init__(self, parent: Registry | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        self._parent = parent
        self._version = 0

    @property
    def version(self) -> int:
        """Grows with every change, so that whoever caches a lookup can tell that it is stale."""
        return self._version + (self._parent.version if self._parent else 0)

    def add(self, name: str, entry: Entry, *, replace: bool = False) -> None:
        """Enter `name`.

        Raises:
            ValueError: the name is taken; pass ``replace=True`` to mean it.
        """
        if not replace:
            self.check_free(name)
        self._entries[name] = entry
        self._version += 1

    def check_free(self, name: str) -> None:
        """Raise ValueError if `name` is taken."""
        if name in self._entries:
            raise ValueError(
                f"{name} already has an entry ({self._entries[name].kind.value}); pass replace=True to replace it"
            )

    def get(self, packet: str, overload: str = "") -> Entry | None:
        """The entry for an overload: its own, its packet's, or the functional twin's of an in-place packet."""
        for name in candidates(packet, overload):
            entry = self._entries.get(name)
            if entry is not None:
                return entry
        return self._parent.get(packet, overload) if self._parent else None

    def names(self) -> Iterator[str]:
        """Every name entered, the parent's first."""
        if self._parent:
            yield from self._parent.names()
        yield from self._entries

    def remove(self, name: str) -> None:
        """Take `name` out. Raises KeyError if it is not in."""
        del self._entries[name]
        self._version += 1

    def rule(self, *names: str, replace: bool = False) -> Callable[[F], F]:
        """Decorator: the function below is the rule of `names`."""

        def enter(function: F) -> F:
            entry = Entry(
                Kind.RULE, function, family=_family(function), takes_out=takes_out(function)
            )
            for name in names:
                self.add(name, entry, replace=replace)
            return function

        return enter

    def move(self, *names: str) -> Callable[[F], F]:
        """Decorator: the function below says which bytes `names` move; they do no arithmetic by definition."""

        def enter(function: F) -> F:
            entry = Entry(
                Kind.MOVE, function, family=_family(function), takes_out=takes_out(function)
            )
            for name in names:
                self.add(name, entry)
            return function

        return enter

    def free(self, *names: str, family: str = "movement") -> None:
        """`names` are zero by definition and touch no memory."""
        for name in names:
            self.add(name, Entry(Kind.FREE, family=family))

    def composite(self, reasons: Mapping[str, str]) -> None:
        """The keys run as other operators although torch registers no composite kernel for them."""
        for name, reason in reasons.items():
            self.add(name, Entry(Kind.COMPOSITE, reason=reason))

    def unknown(self, reasons: Mapping[str, str]) -> None:
        """The keys have no rule, for the reason given."""
        for name, reason in reasons.items():
            self.add(name, Entry(Kind.UNKNOWN, reason=reason))


def candidates(packet: str, overload: str = "") -> Iterator[str]:
    """The names an overload answers to, most specific first."""
    if overload:
        yield f"{packet}.{overload}"
    yield packet
    if packet.endswith("_") and not packet.endswith("__"):
        if overload:
            yield f"{packet[:-1]}.{overload}"
        yield packet[:-1]


def takes_out(function: Callable[..., Any]) -> bool:
    """True if a rule asks for the result's shapes, as `out`. A built-in function that does not tell its parameters does not."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        return False
    return "out" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _family(function: Callable[..., Any]) -> str:
    return function.__module__.rpartition(".")[2]


RULES = Registry()
"""The rules that every profile starts from; `dispatchcount.register` adds to it."""

"""Which rule an operator has: one table from operator name to `RegistryEntry`.

A key is torch's qualified packet name, ``aten::addmm``, which stands for all its overloads, or the
name of one overload, ``aten::foo.Bar``. An in-place packet (``addmm_``) without an entry of its own
has that of its functional twin.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import candidates
from dispatchcount.rules.core.uses import Uses, evenly
from dispatchcount.rules.core.widths import Widths, alike, of

Rule = Callable[..., "Cost | int"]
"""A function of an operator's own arguments, with a `Shape` for each tensor."""

F = TypeVar("F", bound=Callable[..., Any])


USER = "user"
"""The family of rules that users gave."""


class OpKind(str, Enum):
    """The class that an operator is in; every operator is in exactly one."""

    RULE = "rule"  # a formula says what it costs
    MOVE = "movement"  # it does no arithmetic by definition, but moves bytes: copies, fills
    FREE = "free"  # it does no arithmetic and touches no memory: views, metadata, allocation
    COMPOSITE = "composite"  # it runs as other operators, which are counted
    UNKNOWN = "unknown"  # it has no rule, for a reason that is written down


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """What the registry knows of an operator.

    Attributes:
        kind: the class of the operator.
        rule: turns shapes and scalars into a `Cost`, or into an int of MACs. None for FREE and
            UNKNOWN.
        reason: why an operator is UNKNOWN.
        family: the module under ``rules/`` that the rule comes from, ``"matmul"``, or `USER`.
        takes_out: True if the rule asks for the shapes of the result, as keyword `out`.
        widths: says how many bits the factors of its MACs have; see `core.widths`.
        uses: says in how many MACs each element of an operand takes part; see `core.uses`. None if
            that is not known.
    """

    kind: OpKind
    rule: Rule | None = None
    reason: str = ""
    family: str = ""
    takes_out: bool = False
    widths: Widths = alike
    uses: Uses | None = None


class Registry:
    """A table of entries.

    A registry with a parent (``Registry(parent=RULES)``) is asked first and falls back to it: so a
    block can have rules of its own without changing those of others.
    """

    def __init__(self, parent: Registry | None = None) -> None:
        self._entries: dict[str, RegistryEntry] = {}
        self._parent = parent
        self._version = 0

    @property
    def version(self) -> int:
        """A number that grows with every change: whoever caches a lookup can tell it is stale."""
        return self._version + (self._parent.version if self._parent else 0)

    def add(self, name: str, entry: RegistryEntry, *, replace: bool = False) -> None:
        """Enter `name`.

        Raises:
            ValueError: the name is taken; pass ``replace=True`` to mean it.
        """
        if not replace:
            self.check_free(name)
        self._entries[name] = entry
        self._version += 1

    def check_free(self, name: str) -> None:
        """Do nothing if `name` has no entry here.

        Raises:
            ValueError: it has one.
        """
        if name in self._entries:
            kind = self._entries[name].kind.value
            raise ValueError(
                f"{name} already has an entry ({kind}); pass replace=True to replace it"
            )

    def get(self, packet: str, overload: str = "") -> RegistryEntry | None:
        """The entry for an overload, or None.

        It is the overload's own, else its packet's, else that of the functional twin of an in-place
        packet; else whatever the parent has.
        """
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
        """Take `name` out.

        Raises:
            KeyError: it is not in.
        """
        del self._entries[name]
        self._version += 1

    def rule(
        self,
        *names: str,
        replace: bool = False,
        factors: tuple[int, int] | None = None,
        widths: Widths | None = None,
        uses: Uses | None = None,
    ) -> Callable[[F], F]:
        """Decorator: the function below is the rule of `names`.

        Args:
            names: operators.
            replace: True if one may have a rule already.
            factors: the positions of the two operands that are multiplied, if the rule's MACs are
                one product of these; `widths` and `uses` follow from them.
            widths: see `core.widths`.
            uses: see `core.uses`.

        Example:
            >>> @RULES.rule("aten::mm")
            ... def mm(self: Shape, mat2: Shape, *, out: Shape) -> Cost:
            ...     return contraction(out.numel * self[1], out)
        """
        if factors is not None:
            widths, uses = widths or of(*factors), uses or evenly(*factors)
        return self._decorator(OpKind.RULE, names, replace, widths or alike, uses)

    def move(self, *names: str) -> Callable[[F], F]:
        """Decorator: the function below says which bytes `names` move.

        Such operators do no arithmetic by definition.
        """
        return self._decorator(OpKind.MOVE, names, replace=False)

    def _decorator(
        self,
        kind: OpKind,
        names: tuple[str, ...],
        replace: bool,
        widths: Widths = alike,
        uses: Uses | None = None,
    ) -> Callable[[F], F]:
        def enter(function: F) -> F:
            family = function.__module__.rpartition(".")[2]
            entry = RegistryEntry(
                kind,
                function,
                family=family,
                takes_out=takes_out(function),
                widths=widths,
                uses=uses,
            )
            for name in names:
                self.add(name, entry, replace=replace)
            return function

        return enter

    def free(self, *names: str, family: str = "") -> None:
        """Enter `names` as free by definition: they touch no memory."""
        for name in names:
            self.add(name, RegistryEntry(OpKind.FREE, family=family))

    def unknown(self, reasons: Mapping[str, str]) -> None:
        """Enter the keys as operators that have no rule, for the reason given."""
        for name, reason in reasons.items():
            self.add(name, RegistryEntry(OpKind.UNKNOWN, reason=reason))


def takes_out(function: Callable[..., Any]) -> bool:
    """True if a rule asks for the shapes of the result, as a keyword `out`.

    A built-in function that does not tell its parameters is taken not to.
    """
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        return False
    return "out" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


RULES = Registry()
"""The rules that every profile starts from; `dispatchcount.register` adds to it."""

"""Distinct calls: what a record holds of all calls that a rule cannot tell apart."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any, Protocol

from dispatchcount.rules.core.group import Group, group_among
from dispatchcount.rules.core.registry import Registry, RegistryEntry
from dispatchcount.rules.core.shape import Shape, shapes

SHOWN_ITEMS = 8
"""Items of a list of operands that `Signature.text` shows."""


class Costable(Protocol):
    """What a `Signature` is a call of: an operator's `Plan`, or a `Pseudo`."""

    @property
    def name(self) -> str:
        """What reports call it, ``"aten.addmm"``."""

    @property
    def identity(self) -> Hashable:
        """What its calls have in common, and no other's: the first item of their keys."""

    @property
    def unseen(self) -> bool:
        """True for a kernel that was not seen to run, but whose result was read."""

    @property
    def unreturned(self) -> Sequence[int | str]:
        """Positions and names of the operands that it writes and does not return."""

    @property
    def filled(self) -> Collection[int]:
        """Positions of the operands that it writes without reading them."""

    def entry(self, rules: Registry) -> RegistryEntry | None:
        """What the rules say of it now; they may have changed since it ran."""


class Signature:
    """One distinct call of an operator: what a rule needs to cost it.

    Every module that makes the same call shares it.

    Attributes:
        plan: the operator.
        args: its operands by position, as rules see them: `Shape`s and scalars.
        kwargs: its operands by name.
        out: its result.
        function: the Python-level torch function that it ran under, where that is noted; else
            ``""``.
        block: stands for the block that met the call last. Blocks share signatures, and each notes
            the devices of a call that is new to it; see `Counter`.
    """

    __slots__ = ("args", "block", "function", "kwargs", "out", "plan")

    def __init__(
        self,
        plan: Costable,
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
        self.block: object = None

    @property
    def dtype(self) -> str:
        """The dtype that it works in.

        It is that of the first floating or complex operand, else of the first operand.

        It is ``""`` for a call without tensors.
        """
        found = [shape.dtype for shape in shapes((self.args, self.kwargs, self.out))]
        return next((d for d in found if "float" in d or "complex" in d), found[0] if found else "")

    @property
    def group(self) -> Group:
        """The process group of a collective."""
        return group_among(*self.args, *self.kwargs.values())

    @property
    def text(self) -> str:
        """The operands' shapes, for people."""
        parts = [_text(arg) for arg in self.args]
        parts += [f"{name}={_text(arg)}" for name, arg in self.kwargs.items()]
        return ", ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, Shape):
        return repr(value)
    if isinstance(value, tuple | list):
        more = ", …" if len(value) > SHOWN_ITEMS else ""
        return f"[{', '.join(map(_text, value[:SHOWN_ITEMS]))}{more}]"
    return str(value)


class Pseudo:
    """Something that is costed like an operator call, and is not one.

    It is a kernel that the user named, or one that nothing saw.

    Attributes:
        name: what reports call it.
        identity: its name and cost. Calls of one name and cost differ by their operands alone.
        unseen: see `Costable`.
    """

    unreturned: tuple[int | str, ...] = ()
    filled: frozenset[int] = frozenset()

    __slots__ = ("_entry", "identity", "name", "unseen")

    def __init__(
        self, name: str, entry: RegistryEntry, *, cost: Hashable = None, unseen: bool = False
    ) -> None:
        """`cost` tells apart kernels that have one name."""
        self.identity = name, cost
        self.name = name
        self.unseen = unseen
        self._entry = entry

    def entry(self, rules: Registry) -> RegistryEntry:
        """Its own entry, whatever the rules say."""
        return self._entry

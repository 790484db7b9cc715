"""Process groups as rules and reports see them. This file imports the standard library alone."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = 8
"""Ranks that the text of a group names; a group may have thousands."""


@dataclass(frozen=True, slots=True, repr=False)
class Group:
    """A process group: the ranks among which a collective moves data.

    Two groups of one size but of other ranks are two groups.

    Attributes:
        name: what ``torch.distributed`` calls it, ``"0"`` for the first group of the process.
        ranks: the global ranks of its members, in the order of their ranks in the group. It is
            empty if the group was not to be found.
        dimension: the dimension of a device mesh that the group was made for, ``"dp"``; ``""`` if
            it was made for none.
    """

    name: str
    ranks: tuple[int, ...] = ()
    dimension: str = ""

    @property
    def size(self) -> int:
        """The number of its members, 0 if the group was not to be found."""
        return len(self.ranks)

    @property
    def label(self) -> str:
        """What people call it: its dimension, or ``"group 0"``."""
        return self.dimension or f"group {self.name}"

    @property
    def span(self) -> str:
        """Its ranks in a few words: ``"0–7"``, ``"0, 2, 4, 6"``; ``""`` if they are not known."""
        steps = {b - a for a, b in zip(self.ranks, self.ranks[1:], strict=False)}
        if self.size > 2 and steps == {1}:
            return f"{self.ranks[0]}–{self.ranks[-1]}"
        return ", ".join(map(str, self.ranks[:_SHOWN])) + (", …" if self.size > _SHOWN else "")

    def __str__(self) -> str:
        """The group in a few words: ``"dp: 4 ranks 0, 2, 4, 6"``."""
        if not self.ranks:
            return f"group {self.name}, ranks not known" if self.name else "group not known"
        counted = f"{self.size:,} ranks" if self.size > 1 else "1 rank"
        return f"{self.label}: {counted} {self.span}"

    def __repr__(self) -> str:
        return f"<Group {self.name!r} {self}>"


def group_among(*operands: object) -> Group:
    """The process group among the operands of a call; one without a name if there is none.

    Operators that send to a peer through symmetric memory are given no group.
    """
    return next((operand for operand in operands if isinstance(operand, Group)), Group(""))

"""Trees kept as rows: each row names its parent's index, which is always smaller than its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol


class Child(Protocol):
    """A row with a parent: a `Module` or a `Path`."""

    @property
    def parent(self) -> int:
        """Index of the row above; -1 for a top row."""


class Named(Child, Protocol):
    """A row of a tree of modules: one of a report or of a law."""

    @property
    def name(self) -> str:
        """Full dotted name, ``""`` for a single root."""


def upward(rows: Sequence[Child]) -> Iterator[tuple[int, int]]:
    """Each row and its parent, every row after all rows below it.

    Whoever adds each row to its parent in this order ends with totals over whole branches:

        for index, parent in upward(modules):
            total[parent] += total[index]

    Yields:
        Indices of a row and of its parent; top rows, which have none, are left out.
    """
    for index in range(len(rows) - 1, -1, -1):
        parent = rows[index].parent
        if parent >= 0:
            yield index, parent


def below(rows: Sequence[Child], top: int) -> set[int]:
    """The indices of a row and of all rows below it."""
    found = {top}
    for index, row in enumerate(rows):  # a parent comes before its children
        if row.parent in found:
            found.add(index)
    return found


def children(
    rows: Sequence[Child], wanted: Callable[[int], bool] = lambda _: True
) -> dict[int, list[int]]:
    """The indices of the rows right below each row, in order; the top rows are below -1.

    Args:
        rows: the tree.
        wanted: says of a row's index if it is listed. Rows without any are not among the keys.
    """
    below: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        if wanted(index):
            below.setdefault(row.parent, []).append(index)
    return below


def depth_first(below: dict[int, list[int]]) -> Iterator[tuple[int, bool]]:
    """Visit a tree given by its `children`: each row before those below it, and once more after.

    It keeps a stack of its own, because modules nest deeper than Python's calls may.

    Yields:
        A row's index, and True on the way into its branch or False on the way out.
    """
    waiting = [(top, True) for top in reversed(below.get(-1, ()))]
    while waiting:
        index, entering = waiting.pop()
        yield index, entering
        if entering:
            waiting.append((index, False))
            waiting += [(child, True) for child in reversed(below.get(index, ()))]

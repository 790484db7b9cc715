"""Small readings of an argument list that many rules share."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dispatchcount.rules.core.shape import Shape, shapes


def first(value: Any) -> int:
    """Stored elements of the first `Shape` in `value`; 0 if there is none."""
    found = shapes(value)
    return found[0].numel if found else 0


def along(shape: Sequence[int], dim: int) -> int:
    """Size of `shape` along `dim`; 1 for a scalar, which torch lets pass for a vector of one."""
    return shape[dim] if shape else 1


def times(sizes: int | Sequence[int], dims: int) -> int:
    """Product of a kernel or stride argument over `dims` dimensions; one number stands for all of them."""
    if isinstance(sizes, int):
        return int(sizes**dims)
    return prod(sizes) if len(sizes) == dims else int(sizes[0] ** dims)


def log2(n: int) -> int:
    """Comparisons that find one place among `n` sorted values: the base 2 logarithm, rounded up."""
    return max(n - 1, 0).bit_length()


def broadcast(*sizes: Sequence[int]) -> int:
    """Elements of what `sizes` broadcast to."""
    rank = max(map(len, sizes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in sizes]
    return prod(next((n for n in column if n != 1), 1) for column in zip(*padded, strict=True))


def given(*values: Any) -> int:
    """How many of the optional tensors are there."""
    return sum(value is not None for value in values)


def result(out: Any) -> Shape:
    """The first tensor of what an operator returned.

    Raises:
        ValueError: it returned none, so its cost cannot be told.
    """
    found = shapes(out)
    if not found:
        raise ValueError("the operator returned no tensor, so the size of its result is not known")
    return found[0]

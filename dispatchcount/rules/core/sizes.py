"""Small readings of an argument list that many rules share."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.shape import Operand, Shape, shapes

PerDim = int | Sequence[int]
"""A kernel size, a stride …: one number for all dimensions, or one for each."""


def first(value: Operand) -> int:
    """Stored elements of the first `Shape` in `value`; 0 if there is none."""
    found = shapes(value)
    return found[0].numel if found else 0


def along(shape: Sequence[int], dim: int) -> int:
    """Size of `shape` along `dim`; 1 for a scalar, which torch lets pass for a vector of one."""
    return shape[dim] if shape else 1


def times(sizes: PerDim, dims: int) -> int:
    """Product of a kernel or stride argument over `dims` dimensions.

    >>> times(3, 2), times([3, 5], 2), times([3], 2)
    (9, 15, 9)
    """
    if isinstance(sizes, int):
        return int(sizes**dims)
    return prod(sizes) if len(sizes) == dims else int(sizes[0] ** dims)


def log2(n: int) -> int:
    """Comparisons that find one place among `n` sorted values: the base 2 logarithm, rounded up."""
    return max(n - 1, 0).bit_length()


def broadcast(*sizes: Sequence[int]) -> int:
    """Elements of the tensor that `sizes` broadcast to.

    >>> broadcast((8, 1, 3), (5, 3))
    120
    """
    rank = max(map(len, sizes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in sizes]
    return prod(next((n for n in column if n != 1), 1) for column in zip(*padded, strict=True))


def count_given(*values: Operand) -> int:
    """The number of optional tensors that are there and not None."""
    return sum(value is not None for value in values)


def result(out: Operand) -> Shape:
    """The first tensor that an operator returned.

    Raises:
        ValueError: it returned none, so its cost is not known.
    """
    found = shapes(out)
    if not found:
        raise ValueError("the operator returned no tensor, so the size of its result is not known")
    return found[0]

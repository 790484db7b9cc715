"""The multiply-accumulates of a matrix product, whatever the operands are: dense, sparse, nested, batched or broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import broadcast


def product(a: Shape, b: Shape) -> tuple[int, bool]:
    """MACs of ``torch.matmul(a, b)``, real ones, and whether they are an estimate.

    Dense: (..., M, K) @ (..., K, N) is M·K·N over the broadcast batch; a vector is one row or one column. A sparse operand
    contributes its stored elements: each meets the N columns (or M rows) of the other. Of two sparse operands the pairs that meet
    depend on the pattern; taken as spread evenly over K, which is an estimate. Nested: item by item.
    """
    if a.lengths or b.lengths:
        pairs = zip(items(a, b), items(b, a), strict=True)
        counts = [product(x, y) for x, y in pairs]
        return sum(macs for macs, _ in counts), any(guess for _, guess in counts)
    rows, columns = a[-2] if len(a) > 1 else 1, b[-1] if len(b) > 1 else 1
    if is_sparse(a) and is_sparse(b):
        return -(-a.nnz * b.nnz // max(a[-1], 1)), True
    if is_sparse(b):
        return rows * b.nnz, False
    if is_sparse(a):
        return a.nnz * columns, False
    return broadcast(a[:-2], b[:-2]) * rows * a[-1] * columns, False


def is_sparse(shape: Shape) -> bool:
    """Whether only some of the elements are stored."""
    return shape.layout.startswith("sparse")


def items(nested: Shape, other: Shape) -> Sequence[Shape]:
    """The items of a nested operand; of a dense one its batch, split to meet those of `other`, or itself if it has no batch."""
    if nested.lengths:
        return [Shape(sizes, nested.dtype) for sizes in nested.lengths]
    batched = len(nested) > len(other.lengths[0])
    return [Shape(nested[1:] if batched else nested, nested.dtype)] * len(other.lengths)


def rows(shape: Shape) -> int:
    """Vectors along the last dimension that `shape` holds: 6 for (2, 3, 8), the sum over the items of a nested one."""
    if shape.lengths:
        return sum(prod(sizes[:-1]) for sizes in shape.lengths)
    return prod(shape[:-1])

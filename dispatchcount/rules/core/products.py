"""The multiply-accumulates of a matrix product, whatever the operands are.

They may be dense, sparse, nested, batched or broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import broadcast


def product(a: Shape, b: Shape) -> tuple[int, bool]:
    """MACs of ``torch.matmul(a, b)`` as if it were real, and True if they are an estimate.

    * Dense: (..., M, K) @ (..., K, N) takes M·K·N for each item of the broadcast batch. A vector is
      one row or one column.
    * Sparse and dense: each stored element meets the N columns (or M rows) of the other operand.
    * Sparse and sparse: which pairs meet depends on the pattern. The estimate takes the stored
      elements as spread evenly over K.
    * Nested: the sum over the items.
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
    """True if only some of the elements are stored."""
    return shape.layout.startswith("sparse")


def items(nested: Shape, other: Shape) -> Sequence[Shape]:
    """What meets the items of `other`, one after the other.

    These are the items of a nested operand. A dense operand with a batch is split along it; one
    without a batch meets each item whole.
    """
    if nested.lengths:
        return [Shape(sizes, nested.dtype) for sizes in nested.lengths]
    batched = len(nested) > len(other.lengths[0])
    return [Shape(nested[1:] if batched else nested, nested.dtype)] * len(other.lengths)


def rows(shape: Shape) -> int:
    """Vectors along the last dimension: 6 for (2, 3, 8).

    A nested tensor has those of its items together.
    """
    if shape.lengths:
        return sum(prod(sizes[:-1]) for sizes in shape.lengths)
    return prod(shape[:-1])

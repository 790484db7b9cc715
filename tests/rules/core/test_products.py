"""The multiply-accumulates of matrix products."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.products import items, product, rows
from dispatchcount.rules.core.shape import Shape
from tests.rules.util import S, loops

SIZE = st.integers(0, 4)


@given(SIZE, SIZE, SIZE, SIZE)
def test_dense_products_are_loops(batch: int, m: int, k: int, n: int) -> None:
    assert product(S(batch, m, k), S(batch, k, n)) == (loops(batch, m, k, n), False)
    assert product(S(m, k), S(batch, k, n)) == (loops(batch, m, k, n), False)
    assert product(S(m, k), S(k)) == (loops(m, k), False)
    assert product(S(k), S(k)) == (k, False)


def test_a_sparse_operand_counts_its_stored_elements() -> None:
    """6 stored elements: each meets 5 columns, or is met by 3 rows."""
    sparse = Shape((4, 4), layout="sparse_coo", nnz=6)
    assert product(sparse, S(4, 5)) == (30, False)
    assert product(S(3, 4), sparse) == (18, False)


def test_two_sparse_operands_are_an_estimate() -> None:
    """6 times 10 stored elements, spread over 4 columns."""
    a, b = Shape((4, 4), layout="sparse_csr", nnz=6), Shape((4, 9), layout="sparse_csr", nnz=10)
    assert product(a, b) == (15, True)


def test_nested_operands_meet_item_by_item() -> None:
    """(2, 8) @ (8, 3) and (5, 8) @ (8, 3), with a weight that is dense, or dense in a batch."""
    nested = Shape((2, -1, 8), layout="nested", lengths=((2, 8), (5, 8)))
    assert product(nested, S(8, 3)) == ((2 + 5) * 8 * 3, False)
    assert product(nested, S(2, 8, 3)) == ((2 + 5) * 8 * 3, False)
    assert items(S(2, 8, 3), nested) == [(8, 3), (8, 3)]
    assert rows(nested) == 7


def test_rows_are_the_vectors_along_the_last_dimension() -> None:
    assert (rows(S(2, 3, 8)), rows(S(8))) == (6, 1)

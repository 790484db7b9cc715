"""Tensors as rules see them."""

from __future__ import annotations

import pytest
import torch

from dispatchcount.rules.core.shape import Shape, itemsize, nbytes, numel, shapes


def test_a_dense_shape_stores_every_element() -> None:
    shape = Shape((2, 3, 4), "float16")
    assert shape == (2, 3, 4)
    assert (shape.nnz, shape.numel, shape.nbytes) == (24, 24, 24 * 2)
    assert repr(shape) == "float16[2, 3, 4]"


def test_a_scalar_stores_one_element_and_an_empty_shape_none() -> None:
    assert (Shape().numel, Shape((3, 0)).numel) == (1, 0)


def test_a_sparse_shape_stores_its_non_zeros() -> None:
    shape = Shape((100, 100), layout="sparse_csr", nnz=7)
    assert (shape.nnz, shape.numel, shape.nbytes) == (7, 7, 7 * 4)
    assert repr(shape) == "float32[100, 100] sparse_csr nnz=7"


def test_a_nested_shape_stores_its_items() -> None:
    """Items of 2 x 8 and 5 x 8 elements."""
    shape = Shape((2, -1, 8), layout="nested", lengths=((2, 8), (5, 8)))
    assert (shape.numel, shape.nbytes) == (16 + 40, 4 * 56)


@pytest.mark.parametrize(
    "dtype", sorted({str(d) for d in vars(torch).values() if isinstance(d, torch.dtype)})
)
def test_every_dtype_of_torch_is_known(dtype: str) -> None:
    name = dtype.removeprefix("torch.")
    assert itemsize(name) == getattr(torch, name).itemsize
    assert Shape((2,), name).is_complex == getattr(torch, name).is_complex


def test_complex_elements_are_two_numbers() -> None:
    assert Shape((2,), "complex64").is_complex
    assert Shape((2,), "complex64").nbytes == 2 * 2 * 4
    assert not Shape((2,), "float64").is_complex


def test_shapes_are_found_at_any_depth_and_in_order() -> None:
    a, b, c = Shape((1,)), Shape((2,)), Shape((3,))
    value = [a, (None, [b], 3.0), {"key": c, "text": "x"}]
    assert shapes(value) == [a, b, c]
    assert (numel(value), nbytes(value)) == (6, 24)
    assert shapes((1, 2)) == []

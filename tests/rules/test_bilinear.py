"""Bilinear forms and pairwise distances against counting loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, only, total, whole

R = torch.randn
SMALL = st.integers(1, 4)


@given(SMALL, SMALL, SMALL, SMALL, st.booleans())
@settings(max_examples=30, deadline=None)
def test_bilinear(n: int, i: int, j: int, o: int, bias: bool) -> None:
    macs = 0
    for _ in range(n * o):
        for _column in range(j):
            macs += i  # x1' A, one column
            macs += 1  # times x2
    layer = torch.nn.Bilinear(i, j, o, bias=bias)
    x, y = R(n, i), R(n, j)
    assert whole(layer, x, y) == Cost(macs=macs, arithmetic=n * o * bias, activations=n * o)
    assert only(layer, x, y, name="aten::_trilinear").macs == macs
    assert (total(layer, x, y).macs, total(layer, x, y).arithmetic) == (macs, n * o * bias)


def test_trilinear_of_three_vectors_over_one_dimension() -> None:
    """Nothing can be summed before the third factor is there.

    So there is a product per element, and then the sum of the products with the third factor.
    """
    cost = ask("aten::_trilinear", S(5), S(5), S(5), (), (), (), (0,), out=S())
    assert cost.macs == 5 + 5


@pytest.mark.parametrize(
    "rows", [(3, 4), (30, 40)]
)  # more than 25 take the kernel that forms a matrix product
@pytest.mark.parametrize("p", [2.0, 1.0])
def test_cdist(rows: Any, p: float) -> None:
    x, y = R(2, rows[0], 5), R(2, rows[1], 5)
    pairs = 2 * rows[0] * rows[1]
    expected = Cost(macs=pairs * 5, arithmetic=pairs * 5, transcendentals=pairs, activations=pairs)
    assert whole(torch.cdist, x, y, p) == expected
    assert total(torch.cdist, x, y, p).macs == expected.macs


def test_pdist() -> None:
    assert total(torch.pdist, R(6, 3)).macs == sum(
        1 for a in range(6) for _b in range(a) for _ in range(3)
    )


def test_gradients_of_distances() -> None:
    x, y = R(3, 5, requires_grad=True), R(4, 5)
    d = torch.cdist(x, y)
    assert only(lambda: d.sum().backward(), name="aten::_cdist_backward").macs == 3 * 4 * 5
    e = torch.pdist(x)
    assert only(lambda: e.sum().backward(), name="aten::_pdist_backward").macs == 3 * 5

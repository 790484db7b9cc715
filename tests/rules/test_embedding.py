"""Embedding tables."""

from __future__ import annotations

import torch

from tests.rules.util import only, total

F32 = 4


I64 = 8


def test_embedding_bag() -> None:
    """7 indices of rows of 4 into 3 bags: a sum per element; the mean divides, weights multiply."""
    table, index, offsets = torch.rand(50, 4), torch.randint(50, (7,)), torch.tensor([0, 2, 5])
    run = torch.nn.functional.embedding_bag
    assert total(lambda: run(index, table, offsets, mode="sum")).arithmetic == 28
    assert total(lambda: run(index, table, offsets, mode="mean")).arithmetic == 28 + 12
    found = total(lambda: run(index, table, offsets, mode="sum", per_sample_weights=torch.ones(7)))
    assert found.arithmetic == 56
    bags = only(
        lambda: run(index, table, offsets, mode="sum"), name="aten::_embedding_bag_forward_only"
    )
    assert bags.bytes_read == 28 * F32 + 7 * I64 + 3 * I64

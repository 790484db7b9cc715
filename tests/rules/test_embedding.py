"""Embedding tables."""

from __future__ import annotations

import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, only, total

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


def test_gradients_of_bags() -> None:
    """7 indices of rows of 4: each adds its scaled row, or takes its row's inner product."""
    grad, index, table = S(3, 4), S(7, dtype="int64"), S(50, 4)
    backward = ask("aten::_embedding_bag_dense_backward", grad, index, out=table)
    assert backward == Cost(arithmetic=7 * 4 * 2)
    weights = ask("aten::_embedding_bag_per_sample_weights_backward", grad, table, index, out=S(7))
    assert weights == Cost(arithmetic=7 * 4 * 2)


def test_renorm_takes_a_norm_and_a_product_for_each_row_named() -> None:
    """5 rows of 4: square and add, a root for each row, a product; read and written in place."""
    table, index = torch.rand(50, 4), torch.tensor([0, 3, 3, 9, 1])
    found = only(
        lambda: torch.embedding_renorm_(table, index, 1.0, 2.0), name="aten::embedding_renorm_"
    )
    row = 4 * F32
    assert found == Cost(
        arithmetic=5 * 4 * 3,
        transcendentals=5,
        bytes_read=5 * row + 5 * I64,
        bytes_written=5 * row,
        estimate=True,
    )


def test_quantized_tables() -> None:
    """A row that is taken is scaled and shifted; a bag adds its rows."""
    packed, index = S(50, 12, dtype="uint8"), S(7, dtype="int64")
    moved = {"bytes_read": 7 * 4 + 7 * I64, "estimate": True}
    rows = ask("quantized::embedding_byte", packed, index, out=S(7, 4))
    assert rows == Cost(arithmetic=28 * 2, bytes_written=28 * F32, **moved)
    bags = ask("quantized::embedding_bag_byte_rowwise_offsets", packed, index, out=S(3, 4))
    assert bags == Cost(arithmetic=28 * 3, bytes_written=12 * F32, **moved)


def test_packing_a_table() -> None:
    """Minimum, maximum, subtract, scale and round; a product and a sum to get it back."""
    table, packed = torch.rand(5, 4), torch.ops.quantized.embedding_bag_byte_prepack
    assert total(packed, table) == Cost(arithmetic=20 * 5)
    unpack = torch.ops.quantized.embedding_bag_byte_unpack
    assert total(unpack, packed(table)) == Cost(arithmetic=20 * 2)
    assert ask("quantized::embedding_bag_prepack", S(5, 4)) == Cost(bytes_read=80, bytes_written=80)

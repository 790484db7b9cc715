"""Flex attention."""

from __future__ import annotations

from typing import Any

import pytest
from torch.nn.attention.flex_attention import create_block_mask

from dispatchcount.rules.flex import flex_backward_cost, flex_cost, kept_scores
from tests.rules.util import S, ask


def test_flex_attention_counts_the_blocks_that_are_computed() -> None:
    q, k, v, out = S(2, 4, 256, 16), S(2, 2, 384, 16), S(2, 2, 384, 8), S(2, 4, 256, 8)
    full = 2 * 4 * 256 * 384
    assert flex_cost(q, k, v, out).macs == full * 24
    assert flex_backward_cost(q, k, v).macs == full * (3 * 16 + 2 * 8)
    kept = 2 * 4 * 3 * 128 * 128  # 3 of 2 x 3 blocks
    assert kept == full // 2
    assert flex_cost(q, k, v, out, kept).macs == full // 2 * 24
    assert flex_backward_cost(q, k, v, kept).macs == full // 2 * 64


@pytest.mark.parametrize("window", [1, 5, 40])
@pytest.mark.parametrize(("rows", "columns", "block"), [(40, 40, 16), (17, 33, 8), (16, 16, 16)])
def test_kept_scores_are_those_of_the_blocks_that_hold_one(
    window: int, rows: int, columns: int, block: int
) -> None:
    """A loop over all scores: a block that holds one of the window's is computed whole."""

    def near(b: Any, h: Any, q: Any, k: Any) -> Any:
        return (q - k).abs() < window

    mask = create_block_mask(near, None, None, rows, columns, device="cpu", BLOCK_SIZE=block)
    blocks = {
        (q // block, k // block) for q in range(rows) for k in range(columns) if abs(q - k) < window
    }
    kept = sum((q // block, k // block) in blocks for q in range(rows) for k in range(columns))
    pairs = [
        (mask.kv_num_blocks, mask.kv_indices),
        (mask.full_kv_num_blocks, mask.full_kv_indices),
    ]
    found = kept_scores((2, 3, rows, 8), (2, 3, columns, 8), pairs, block, block)
    assert found == 2 * 3 * kept


def test_the_operators_cost_what_their_block_masks_keep() -> None:
    """Half of 4 x 4 scores of 2 heads of 8; the mask's function hides 3 of those."""
    q = S(1, 2, 4, 8)
    found = ask("higher_order::flex_attention", q, q, q, computed=16, masked=3, out=(q, S(1, 2, 4)))
    assert found == flex_cost(q, q, q, q, 16, 3)
    assert (found.macs, found.masked_macs) == (16 * (8 + 8), 3 * (8 + 8))
    back = ask("higher_order::flex_attention_backward", q, q, q, computed=16, masked=3)
    assert back == flex_backward_cost(q, q, q, 16, 3)

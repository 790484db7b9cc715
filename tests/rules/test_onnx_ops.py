"""ONNX operators that torch runs in Python."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask


def test_attention_over_heads_that_stand_beside_each_other() -> None:
    """2 queries of 4 heads of 8, 3 keys of 2 heads, and 5 of the past: 2 · 8 scores for each head.

    A score takes 8 MACs, and so does its part of the result.
    """
    q, k, v, past = S(1, 2, 32), S(1, 3, 16), S(1, 3, 16), S(1, 2, 5, 8)
    out = (S(1, 2, 32), S(1, 2, 8, 8), S(1, 2, 8, 8), S(1, 4, 2, 8))
    heads = {"kv_num_heads": 2, "q_num_heads": 4}
    found = ask("onnx::Attention", q, k, v, None, past, past, **heads, out=out)
    assert (found.macs, found.activations) == (4 * 2 * 8 * (8 + 8), 2 * 32)
    apart = ask("onnx::Attention", S(1, 4, 2, 8), S(1, 2, 8, 8), S(1, 2, 8, 8), out=S(1, 4, 2, 8))
    assert apart.macs == found.macs
    # A mask is added to each score.
    masked = ask("onnx::Attention", q, k, v, S(2, 8), past, past, **heads, out=out)
    assert masked == found + Cost(arithmetic=4 * 2 * 8)


def test_a_rotary_embedding_takes_two_products_and_a_sum() -> None:
    assert ask("onnx::RotaryEmbedding", S(2, 4, 8), S(9, 4), S(9, 4)) == Cost(arithmetic=64 * 3)

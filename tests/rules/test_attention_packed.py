"""Attention over packed sequences, and kernels with the length before the heads."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask


def test_flash_and_efficient_put_length_before_heads() -> None:
    q, k, v, out = S(2, 6, 4, 8), S(2, 5, 2, 8), S(2, 5, 2, 7), S(2, 6, 4, 7)
    expected = ask(
        "aten::scaled_dot_product_attention",
        S(2, 4, 6, 8),
        S(2, 2, 5, 8),
        S(2, 2, 5, 7),
        out=S(2, 4, 6, 7),
    )
    assert (
        ask(
            "aten::_flash_attention_forward",
            q,
            k,
            v,
            None,
            None,
            6,
            5,
            None,
            False,
            False,
            out=(out,),
        )
        == expected
    )
    quantized = ask(
        "aten::_flash_attention_forward.quantized",
        q,
        k,
        v,
        None,
        None,
        6,
        5,
        None,
        False,
        False,
        None,
        None,
        None,
        out=(out,),
    )
    assert quantized == expected
    assert (
        ask(
            "aten::_efficient_attention_forward",
            q,
            k,
            v,
            None,
            None,
            None,
            None,
            None,
            None,
            0,
            out=(out,),
        )
        == expected
    )
    inplace = "aten::_flash_attention_forward_no_dropout_inplace"
    assert (
        ask(inplace, out, q, k, v, None, None, 6, 5, None, False, False, out=S(2, 4, 6)) == expected
    )
    first = S(2, 4, 6, 8), S(2, 2, 5, 8), S(2, 2, 5, 7)
    assert (
        ask(
            "aten::_cudnn_attention_forward",
            *first,
            None,
            None,
            None,
            6,
            5,
            True,
            out=(S(2, 4, 6, 7),),
        )
        == expected
    )
    backward = ask("aten::_scaled_dot_product_flash_attention_backward", S(2, 4, 6, 7), *first)
    lse = S(2, 4, 6)
    assert (
        ask(
            "aten::_flash_attention_backward",
            out,
            q,
            k,
            v,
            out,
            lse,
            None,
            None,
            6,
            5,
            None,
            False,
            None,
            None,
        )
        == backward
    )
    assert (
        ask(
            "aten::_efficient_attention_backward",
            out,
            q,
            k,
            v,
            None,
            out,
            None,
            None,
            6,
            5,
            lse,
            None,
        )
        == backward
    )
    assert (
        ask(
            "aten::_cudnn_attention_backward",
            S(2, 4, 6, 7),
            *first,
            out,
            lse,
            None,
            None,
            None,
            None,
            None,
            6,
            5,
        )
        == backward
    )


CUM_Q, CUM_K = (0, 3, 8, 9), (0, 2, 8, 10)  # lengths 3, 5, 1 and 2, 6, 2


PAIRS = 3 * 2 + 5 * 6 + 1 * 2


def packed_calls(cum_q: Any, cum_k: Any) -> list[Cost]:
    q, k, v, out = S(9, 4, 8), S(10, 2, 8), S(10, 2, 8), S(9, 4, 8)
    one = [S(1, *x) for x in (q, k, v, out)]
    return [
        ask(
            "aten::_flash_attention_forward",
            q,
            k,
            v,
            cum_q,
            cum_k,
            5,
            6,
            None,
            False,
            False,
            out=(out,),
        ),
        ask("torch_attn::_varlen_attn", q, k, v, cum_q, cum_k, 5, 6, out=(out,)),
        ask("torch_attn::_varlen_attn_out", out, q, k, v, cum_q, cum_k, 5, 6, out=S(4, 9)),
        ask(
            "aten::_efficient_attention_forward",
            *one[:3],
            None,
            cum_q,
            cum_k,
            5,
            6,
            None,
            0,
            out=(one[3],),
        ),
        ask("aten::_cudnn_attention_forward", q, k, v, None, cum_q, cum_k, 5, 6, True, out=(out,)),
    ]


def test_packed_sequences_meet_their_own_keys_alone() -> None:
    expected = Cost(
        4 * PAIRS * 16, 4 * 4 * PAIRS + 4 * (9 + 10) * 8, 4 * PAIRS, activations=9 * 4 * 8
    )
    assert packed_calls(CUM_Q, CUM_K) == [expected] * 5
    q, k, v, out, lse = S(9, 4, 8), S(10, 2, 8), S(10, 2, 8), S(9, 4, 8), S(4, 9)
    one = [S(1, *x) for x in (q, k, v, out)]
    backward = [
        ask(
            "aten::_flash_attention_backward",
            out,
            q,
            k,
            v,
            out,
            lse,
            CUM_Q,
            CUM_K,
            5,
            6,
            None,
            False,
            None,
            None,
        ),
        ask(
            "torch_attn::_varlen_attn_backward",
            out,
            q,
            k,
            v,
            out,
            lse,
            CUM_Q,
            CUM_K,
            5,
            6,
            False,
            None,
        ),
        ask(
            "aten::_efficient_attention_backward",
            one[3],
            *one[:3],
            None,
            one[3],
            CUM_Q,
            CUM_K,
            5,
            6,
            lse,
            None,
        ),
        ask(
            "aten::_cudnn_attention_backward",
            out,
            q,
            k,
            v,
            out,
            lse,
            None,
            None,
            None,
            CUM_Q,
            CUM_K,
            5,
            6,
        ),
    ]
    assert [c.macs for c in backward] == [4 * PAIRS * 8 * 5] * 4


def test_packed_lengths_that_cannot_be_read_are_a_marked_worst_case() -> None:
    for cost in packed_calls(S(4, dtype="int32"), S(4, dtype="int32")):
        assert cost.estimate
        assert cost.macs == 4 * min(3 * 5 * 6, 9 * 6, 5 * 10) * 16
        assert cost.macs >= 4 * PAIRS * 16


def test_keys_in_use_may_be_fewer_than_those_stored() -> None:
    q, pages = S(3, 4, 8), S(10, 16, 4, 8)
    name = "aten::_flash_attention_forward"
    args = (q, pages, pages, (0, 1, 2, 3), None, 1, 160, None, False, False)
    assert ask(name, *args, seqused_k=(5, 20, 7), out=(q,)).macs == 4 * (5 + 20 + 7) * 16
    assert ask(name, *args, seqused_k=S(3, dtype="int32"), out=(q,)).estimate

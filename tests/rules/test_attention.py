"""Attention kernels against loops over pairs, against the unfused form, and against each other."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.flex import flex_backward_cost, flex_cost
from tests.rules.util import S, ask, only, total, watch, whole

R = torch.randn
FORWARD = [
    ("aten::scaled_dot_product_attention", ()),
    ("aten::_scaled_dot_product_attention_math", ()),
    ("aten::_scaled_dot_product_attention_math_for_mps", ()),
    ("aten::_scaled_dot_product_fused_attention_overrideable", ()),
    ("aten::_scaled_dot_product_flash_attention", ()),
    ("aten::_scaled_dot_product_flash_attention.quantized", (None, None, None)),
    ("aten::_scaled_dot_product_flash_attention_for_cpu", ()),
    ("aten::_scaled_dot_product_efficient_attention", (None, True)),
    ("aten::_scaled_dot_product_cudnn_attention", (None, True)),
    ("aten::_triton_scaled_dot_attention", ()),
]


def pairs(q: Any, k: Any) -> int:
    """Scores of (batch, heads, length, size), one by one."""
    return sum(1 for _ in product(range(q[0]), range(q[1]), range(q[2]), range(k[2])))


SIZES = st.tuples(*[st.integers(1, 3)] * 7)


@given(SIZES)
@settings(max_examples=40, deadline=None)
def test_every_kernel_counts_every_pair(sizes: Any) -> None:
    b, groups, shared, sq, sk, d, dv = sizes
    heads = groups * shared
    q, k, v, out = (
        S(b, heads, sq, d),
        S(b, groups, sk, d),
        S(b, groups, sk, dv),
        S(b, heads, sq, dv),
    )
    n = pairs(q, k)
    assert 2 * n * (d + dv) == sdpa_flop_count(q, k, v)
    scaled = b * heads * (sq + sk) * d
    expected = Cost(
        macs=n * (d + dv), arithmetic=4 * n + scaled, transcendentals=n, activations=out.numel
    )
    for name, extra in FORWARD:
        assert ask(name, q, k, v, *extra, out=(out, S(b, heads, sq))) == expected, name


@pytest.mark.parametrize("run", [total, whole])
def test_the_kernel_that_runs_here_costs_what_the_unfused_form_does(run: Any) -> None:
    q, k, v = R(2, 4, 6, 8), R(2, 4, 5, 8), R(2, 4, 5, 8)
    mask = R(2, 1, 6, 5)
    for attn_mask in (None, mask):
        fused = run(lambda m: F.scaled_dot_product_attention(q, k, v, attn_mask=m), attn_mask)
        with sdpa_kernel(SDPBackend.MATH):
            unfused = total(
                lambda m: F.scaled_dot_product_attention(q, k, v, attn_mask=m), attn_mask
            )
        assert (fused.macs, fused.arithmetic, fused.transcendentals) == (
            unfused.macs,
            unfused.arithmetic,
            unfused.transcendentals,
        )
        assert fused.activations == q.numel()


def test_grouped_heads_and_other_value_sizes_on_meta() -> None:
    q, k, v = (R(*s, device="meta") for s in ((2, 8, 6, 16), (2, 2, 5, 16), (2, 2, 5, 12)))
    run = lambda: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)  # noqa: E731
    assert total(run).macs == whole(run).macs == 2 * 8 * 6 * 5 * (16 + 12)
    assert (
        whole(F.scaled_dot_product_attention, R(7, 6, 8), R(7, 5, 8), R(7, 5, 8)).macs
        == 7 * 6 * 5 * 16
    )  # no heads


def test_a_causal_mask_is_not_subtracted() -> None:
    q = R(1, 2, 6, 4)
    causal, full = (
        whole(lambda c: F.scaled_dot_product_attention(q, q, q, is_causal=c), c)
        for c in (True, False)
    )
    assert causal.macs == full.macs == 2 * 36 * 8
    assert causal.arithmetic == full.arithmetic + 2 * 36


@given(SIZES)
@settings(max_examples=30, deadline=None)
def test_backward_is_five_products(sizes: Any) -> None:
    b, groups, shared, sq, sk, d, dv = sizes
    heads = groups * shared
    q, k, v, out = (
        S(b, heads, sq, d),
        S(b, groups, sk, d),
        S(b, groups, sk, dv),
        S(b, heads, sq, dv),
    )
    n = pairs(q, k)
    macs = n * (d + dv + dv + d + d)  # scores, gradients of scores, value, query, key
    assert 2 * macs == sdpa_backward_flop_count(out, q, k, v)
    kinds = (
        "flash_attention",
        "efficient_attention",
        "cudnn_attention",
        "flash_attention_for_cpu",
        "fused_attention_overrideable",
    )
    for kind in kinds:
        cost = ask(f"aten::_scaled_dot_product_{kind}_backward", out, q, k, v)
        assert (cost.macs, cost.transcendentals, cost.activations) == (macs, n, 0)


def test_backward_of_the_kernel_that_runs_here() -> None:
    q, k, v = (R(2, 4, 6, 8, requires_grad=True) for _ in range(3))
    loss = F.scaled_dot_product_attention(q, k, v).sum()
    forward = whole(F.scaled_dot_product_attention, q, k, v).macs
    assert total(loss.backward).macs * 2 == forward * 5
    with sdpa_kernel(SDPBackend.MATH):
        loss = F.scaled_dot_product_attention(q, k, v).sum()
        assert (
            total(loss.backward).macs == forward * 2
        )  # the unfused backward forms no scores again


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


def test_nested_tensors_item_by_item() -> None:
    lengths = ((2, 3, 8), (2, 5, 8))
    x = S(2, 2, 5, 8, layout="nested", lengths=lengths)
    assert ask("aten::scaled_dot_product_attention", x, x, x, out=x).macs == (9 + 25) * 2 * 8 * 2
    assert (
        ask("aten::_scaled_dot_product_flash_attention_backward", x, x, x, x).macs
        == (9 + 25) * 2 * 8 * 5
    )


def test_flex_attention_counts_the_blocks_that_are_computed() -> None:
    q, k, v, out = S(2, 4, 256, 16), S(2, 2, 384, 16), S(2, 2, 384, 8), S(2, 4, 256, 8)
    full = 2 * 4 * 256 * 384
    assert flex_cost(q, k, v, out).macs == full * 24
    assert flex_backward_cost(q, k, v).macs == full * (3 * 16 + 2 * 8)
    kept = 2 * 4 * 3 * 128 * 128  # 3 of 2 x 3 blocks
    assert kept == full // 2
    assert flex_cost(q, k, v, out, kept).macs == full // 2 * 24
    assert flex_backward_cost(q, k, v, kept).macs == full // 2 * 64


def layer(**kwargs: Any) -> torch.nn.Module:
    return torch.nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, **kwargs).eval()


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_fast_path_costs_what_the_slow_one_does(activation: str, norm_first: bool) -> None:
    model, x = layer(activation=activation, norm_first=norm_first), R(2, 5, 16)
    with torch.no_grad():
        fast = watch(model, x)
        cost = total(model, x)
    assert {c.packet for c in fast} == {"aten::_transformer_encoder_layer_fwd"}
    slow = total(model, x)  # parameters that want a gradient
    assert cost.macs == slow.macs == 10 * 16 * (3 * 16 + 16 + 2 * 24) + 2 * 5 * 5 * 16 * 2
    assert (cost.arithmetic, cost.transcendentals, cost.fvcore) == (
        slow.arithmetic,
        slow.transcendentals,
        slow.fvcore,
    )
    assert cost.activations == x.numel()


@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_fast_path(need_weights: bool) -> None:
    model, x = torch.nn.MultiheadAttention(16, 4, batch_first=True).eval(), R(2, 5, 16)
    run = lambda: model(x, x, x, need_weights=need_weights)  # noqa: E731
    with torch.no_grad():
        fast = only(run, name="aten::_native_multi_head_attention")
    slow = total(run)
    assert fast.macs == slow.macs == 10 * 16 * 64 + 2 * 25 * 16 * 2
    assert (fast.arithmetic, fast.transcendentals) == (slow.arithmetic, slow.transcendentals)


def test_cross_attention_and_nested_multihead() -> None:
    q, k = S(2, 3, 16), S(2, 7, 16)
    tail = (16, 4, S(48, 16), S(48), S(16, 16), S(16))
    cost = ask("aten::_native_multi_head_attention", q, k, k, *tail, None, False, out=(q, None))
    assert cost.macs == (6 + 14 + 14 + 6) * 256 + 2 * 3 * 7 * 16 * 2
    assert ask("aten::_triton_multi_head_attention", q, k, k, *tail, out=q) == cost
    x = torch.nested.nested_tensor([R(3, 16), R(5, 16)])
    with torch.no_grad():
        nested = only(layer(), x, name="aten::_transformer_encoder_layer_fwd")
    assert nested.macs == 8 * 16 * (64 + 48) + (9 + 25) * 16 * 2

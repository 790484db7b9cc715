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
from tests.rules.util import S, ask, total, whole

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


def test_nested_tensors_item_by_item() -> None:
    lengths = ((2, 3, 8), (2, 5, 8))
    x = S(2, 2, 5, 8, layout="nested", lengths=lengths)
    assert ask("aten::scaled_dot_product_attention", x, x, x, out=x).macs == (9 + 25) * 2 * 8 * 2
    assert (
        ask("aten::_scaled_dot_product_flash_attention_backward", x, x, x, x).macs
        == (9 + 25) * 2 * 8 * 5
    )

"""Scores that a call says are masked, against loops over pairs; and products that are recomputed."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel

import dispatchcount as dc
from dispatchcount.rules.attention_masks import CAUSAL, Window, flash_window, hidden, ramp
from tests.rules.util import S, ask

LENGTHS = st.integers(0, 9)
SIDES = st.one_of(st.none(), st.integers(0, 9))


@given(LENGTHS, LENGTHS, SIDES, SIDES, st.booleans())
@settings(max_examples=300, deadline=None)
def test_hidden_scores_one_by_one(queries, keys, left, right, bottom):
    offset = keys - queries if bottom else 0
    seen = sum(
        (left is None or key >= query + offset - left)
        and (right is None or key <= query + offset + right)
        for query, key in product(range(queries), range(keys))
    )
    assert hidden(queries, keys, Window(left, right, bottom)) == queries * keys - seen


@given(LENGTHS, LENGTHS, st.integers(-12, 12))
def test_a_ramp_term_by_term(count, most, start):
    assert ramp(count, most, start) == sum(min(most, max(0, start + i)) for i in range(count))


def test_no_window_hides_nothing():
    assert hidden(5, 7, None) == 0
    assert hidden(5, 7, Window()) == 0
    assert flash_window(False, -1, -1) is None
    assert flash_window(None, None, None) is None
    assert flash_window(True, -1, 5) == Window(None, 0, bottom=True)
    assert hidden(4, 4, CAUSAL) == 3 + 2 + 1


B, H, L, K, D, V = 2, 4, 6, 6, 8, 8
Q = S(B, H, L, D)
MASKED = B * H * L * (L - 1) // 2


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("aten::scaled_dot_product_attention", (None, 0.0, True)),
        ("aten::_scaled_dot_product_flash_attention", (0.0, True)),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", (0.0, True)),
        ("aten::_scaled_dot_product_efficient_attention", (None, True, 0.0, True)),
        ("aten::_scaled_dot_product_cudnn_attention", (None, True, 0.0, True)),
        ("aten::_scaled_dot_product_fused_attention_overrideable", (None, 0.0, True)),
        ("aten::_cudnn_attention_forward", (None, None, None, L, L, True, 0.0, True)),
    ],
)
def test_a_causal_forward(name, before):
    cost = ask(name, Q, Q, Q, *before, out=Q)
    assert cost.masked_macs == MASKED * (D + V)
    assert cost.macs == B * H * L * L * (D + V)
    assert cost.recomputed_macs == 0


N = (None,)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("aten::_scaled_dot_product_flash_attention_backward", (*N * 4, L, L, 0.0, True)),
        ("aten::_scaled_dot_product_flash_attention_for_cpu_backward", (*N * 2, 0.0, True)),
        ("aten::_scaled_dot_product_efficient_attention_backward", (*N * 5, 0.0, None, True)),
        ("aten::_scaled_dot_product_cudnn_attention_backward", (*N * 7, L, L, 0.0, True)),
        (
            "aten::_scaled_dot_product_fused_attention_overrideable_backward",
            (*N * 6, L, L, 0.0, True),
        ),
        ("aten::_cudnn_attention_backward", (*N * 7, L, L, 0.0, True)),
    ],
)
def test_a_causal_backward(name, before):
    cost = ask(name, Q, Q, Q, Q, *before)
    assert cost.macs == B * H * L * L * 5 * D
    assert cost.masked_macs == MASKED * 5 * D
    assert cost.recomputed_macs == B * H * L * L * D


def test_a_window_of_flash_over_packed_sequences():
    """Sequences of 3 and 5 tokens; each query sees itself and one key before."""
    q = S(8, 4, 16)
    options = {"window_size_left": 1, "window_size_right": 0}
    ends = (0, 3, 8)
    cost = ask(
        "aten::_flash_attention_forward",
        q,
        q,
        q,
        ends,
        ends,
        5,
        5,
        0.0,
        False,
        False,
        out=q,
        **options,
    )
    seen = (1 + 2 + 2) + (1 + 2 + 2 + 2 + 2)
    assert cost.masked_macs == 4 * (9 + 25 - seen) * 32
    back = ask(
        "aten::_flash_attention_backward", q, q, q, q, q, q, ends, ends, 5, 5, 0.0, False, **options
    )
    assert back.masked_macs == 4 * (9 + 25 - seen) * 80
    varlen = ask("torch_attn::_varlen_attn", q, q, q, ends, ends, 5, 5, False, None, (1, 0), out=q)
    assert varlen.masked_macs == cost.masked_macs
    causal = ask("torch_attn::_varlen_attn", q, q, q, ends, ends, 5, 5, True, out=q)
    assert causal.masked_macs == 4 * (3 + 10) * 32


def test_a_flash_kernel_aligns_the_last_query_with_the_last_key():
    """Two new tokens after eight in the cache: 10 keys, the first new one must not see the last."""
    q, k = S(1, 2, 4, 16), S(1, 10, 4, 16)
    cost = ask(
        "aten::_flash_attention_forward", q, k, k, None, None, 2, 10, 0.0, True, False, out=q
    )
    assert cost.masked_macs == 4 * 1 * 32


@pytest.mark.parametrize(
    ("kind", "window", "masked"), [(0, None, 0), (1, None, 15), (2, None, 15), (1, 3, 0)]
)
def test_the_mask_types_of_the_efficient_kernel(kind, window, masked):
    """What a window hides besides is not known, so that nothing is claimed."""
    q = S(1, 6, 4, 16)
    cost = ask(
        "aten::_efficient_attention_forward", q, q, q, None, None, None, 6, 6, 0.0, kind, out=q, window_size=window
    )  # fmt: skip
    assert cost.masked_macs == 4 * masked * 32


def test_a_mask_that_is_a_tensor_is_not_looked_into():
    q = torch.randn(1, 2, 8, 16)
    mask = torch.ones(8, 8, dtype=torch.bool).tril()
    with dc.profile() as prof:
        F.scaled_dot_product_attention(q, q, q, attn_mask=mask)
    assert prof.report.masked_macs == 0


def test_lengths_in_the_worst_case_mask_nothing():
    q = S(8, 4, 16)
    shape_only = S(3, dtype="int32")
    cost = ask(
        "aten::_flash_attention_forward",
        q,
        q,
        q,
        shape_only,
        shape_only,
        5,
        5,
        0.0,
        True,
        False,
        out=q,
    )
    assert cost.estimate
    assert cost.masked_macs == 0


def test_what_papers_call_useful_of_a_causal_attention_and_its_backward():
    """Twelve flops a score and head size, PaLM; half of them on and below the diagonal."""
    q, k, v = (torch.randn(2, 4, 64, 16, requires_grad=True) for _ in range(3))
    with dc.profile() as prof:
        F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
    report = prof.report
    scores = 2 * 4 * 64 * 64
    used = report.utilization(dc.Device({"float32": 1e12}), seconds=1.0)
    assert used.hardware_flops == 14 * scores * 16  # the scores are formed twice
    assert used.flops == 12 * scores * 16
    assert report.recomputed_macs == scores * 16
    seen = 2 * 4 * 64 * 65 // 2
    assert used.cost.unmasked == {"float32": 6 * seen * 16}
    assert used.mfu_unmasked == pytest.approx(12 * seen * 16 / 1e12)
    assert dc.Report.from_json(report.to_json()).masked_macs == report.masked_macs


def test_the_unfused_form_recomputes_nothing_and_says_nothing_of_its_mask():
    q, k, v = (torch.randn(2, 4, 64, 16, requires_grad=True) for _ in range(3))
    with sdpa_kernel(SDPBackend.MATH), dc.profile() as prof:
        F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
    assert prof.report.macs == 6 * 2 * 4 * 64 * 64 * 16
    assert (prof.report.recomputed_macs, prof.report.masked_macs) == (0, 0)

"""The kernels below the ``_scaled_dot_product_*`` operators: (batch, length, heads, size), or sequences packed end to end.

A packed call says where each sequence ends (``cum_seq_q``, ``cu_seqlens_k`` …); the queries of one sequence meet its keys alone.
Where the contents of those arguments cannot be read, the worst case that the sizes and the longest lengths allow is taken and
marked as an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from dispatchcount.rules.attention import Scores, backward_cost, forward_cost, heads_first
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.core.values import known


def length_first(query: Shape, key: Shape, value: Shape) -> Scores:
    """The scores of (batch, length, heads, size)."""
    batch, queries, heads, dk = query
    keys = key[1]
    return Scores(
        batch * heads * queries * keys, dk, value[-1], batch * heads * queries, batch * heads * keys
    )


def packed(
    query: Shape,
    key: Shape,
    value: Shape,
    cum_q: Any,
    cum_k: Any,
    max_q: Any,
    max_k: Any,
    used_k: Any = None,
) -> Scores:
    """The scores of sequences packed along the first dimensions of (…, heads, size).

    Args:
        query: (all tokens, heads, size), with a first dimension of 1 in some kernels.
        key: the same for the keys, which may also lie in pages that the sequences refer to.
        value: the same for the values.
        cum_q: the running sums of the query lengths, from 0: contents or shape.
        cum_k: the same for the keys.
        max_q: the longest query length, for the worst case.
        max_k: the same for the keys.
        used_k: the number of keys in use per sequence, if they are fewer.
    """
    heads = query[-2]
    q_lengths, k_lengths = lengths(cum_q), known(used_k) or lengths(cum_k)
    tokens = prod(query[:-2])
    if q_lengths is not None and k_lengths is not None:
        pairs = sum(q * k for q, k in zip(q_lengths, k_lengths, strict=True))
        return Scores(
            heads * pairs, query[-1], value[-1], heads * sum(q_lengths), heads * sum(k_lengths)
        )
    keys = prod(key[:-2])
    count = len(q_lengths) if q_lengths is not None else cum_q[0] - 1
    longest_q = max_q if isinstance(max_q, int) else tokens
    longest_k = max_k if isinstance(max_k, int) else keys
    pairs = min(count * longest_q * longest_k, tokens * longest_k, longest_q * keys)
    return Scores(heads * pairs, query[-1], value[-1], heads * tokens, heads * keys, estimate=True)


def lengths(cumulative: Any) -> Sequence[int] | None:
    """Lengths from their running sum, if its contents are known."""
    ends = known(cumulative)
    return None if ends is None else [after - before for before, after in pairwise(ends)]


def is_packed(cumulative: Any) -> bool:
    """Whether a call gives sequence boundaries: an undefined or empty tensor gives none."""
    return cumulative is not None and len(cumulative) > 0 and cumulative != (0,)


def flash_scores(
    q: Shape, k: Shape, v: Shape, cum_q: Any, cum_k: Any, max_q: Any, max_k: Any, used_k: Any = None
) -> Scores:
    """Packed if boundaries are given, else (batch, length, heads, size)."""
    if is_packed(cum_q):
        return packed(q, k, v, cum_q, cum_k, max_q, max_k, used_k)
    return length_first(q, k, v)


@RULES.rule("aten::_flash_attention_forward")
def flash(
    query: Shape, key: Shape, value: Shape, cum_seq_q: Any, cum_seq_k: Any, max_q: Any, max_k: Any, dropout_p: Any = None,
    is_causal: bool = False, *_: Any, seqused_k: Any = None, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`attention.forward_cost` over `flash_scores`."""
    scores = flash_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, seqused_k)
    return forward_cost(scores, result(out), masked=bool(is_causal))


@RULES.rule("aten::_flash_attention_forward_no_dropout_inplace")
def flash_into(
    target: Shape, query: Shape, key: Shape, value: Shape, cum_seq_q: Any, cum_seq_k: Any, max_q: Any, max_k: Any,
    dropout_p: Any = None, is_causal: bool = False, *_: Any, seqused_k: Any = None, **__: Any,
) -> Cost:  # fmt: skip
    """As `flash`, writing to its first argument."""
    scores = flash_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, seqused_k)
    return forward_cost(scores, target, masked=bool(is_causal))


@RULES.rule("torch_attn::_varlen_attn")
def varlen(
    query: Shape, key: Shape, value: Shape, cu_seq_q: Any, cu_seq_k: Any, max_q: Any, max_k: Any, is_causal: bool = False,
    scale: Any = None, window_size: Any = None, enable_gqa: bool = False, seqused_k: Any = None, *_: Any, out: Any,
) -> Cost:  # fmt: skip
    """As `flash`: what ``torch.nn.attention.varlen`` runs."""
    scores = packed(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, seqused_k)
    return forward_cost(scores, result(out), masked=bool(is_causal))


@RULES.rule("torch_attn::_varlen_attn_out")
def varlen_into(
    target: Shape, query: Shape, key: Shape, value: Shape, cu_seq_q: Any, cu_seq_k: Any, max_q: Any, max_k: Any,
    is_causal: bool = False, scale: Any = None, window_size: Any = None, enable_gqa: bool = False, seqused_k: Any = None, *_: Any,
    **__: Any,
) -> Cost:  # fmt: skip
    """As `varlen`, writing to its first argument."""
    scores = packed(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, seqused_k)
    return forward_cost(scores, target, masked=bool(is_causal))


@RULES.rule("aten::_efficient_attention_forward")
def efficient(
    query: Shape, key: Shape, value: Shape, bias: Shape | None, cu_seqlens_q: Any, cu_seqlens_k: Any, max_seqlen_q: Any,
    max_seqlen_k: Any, dropout_p: Any, custom_mask_type: int, *_: Any, seqlen_k: Any = None, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """As `flash`; packed sequences have a first dimension of 1. Mask types 1 and 2 are causal."""
    scores = flash_scores(
        query, key, value, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, seqlen_k
    )
    return forward_cost(scores, result(out), masked=bias is not None or bool(custom_mask_type))


@RULES.rule("aten::_cudnn_attention_forward")
def cudnn(
    query: Shape, key: Shape, value: Shape, attn_bias: Shape | None, cum_seq_q: Any, cum_seq_k: Any, max_q: Any, max_k: Any,
    compute_log_sumexp: bool, dropout_p: Any = None, is_causal: bool = False, *_: Any, seqused_k: Any = None, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """Packed, or (batch, heads, length, size), which sets it apart from the other two."""
    scores = cudnn_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, seqused_k)
    return forward_cost(scores, result(out), masked=attn_bias is not None or bool(is_causal))


def cudnn_scores(
    q: Shape, k: Shape, v: Shape, cum_q: Any, cum_k: Any, max_q: Any, max_k: Any, used_k: Any = None
) -> Scores:
    """Packed if boundaries are given, else (batch, heads, length, size)."""
    return (
        packed(q, k, v, cum_q, cum_k, max_q, max_k, used_k)
        if is_packed(cum_q)
        else heads_first(q, k, v)
    )


@RULES.rule("aten::_flash_attention_backward")
def flash_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Shape, logsumexp: Shape, cum_seq_q: Any, cum_seq_k: Any,
    max_q: Any, max_k: Any, *_: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`attention.backward_cost` over `flash_scores`."""
    return backward_cost(flash_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k))


@RULES.rule("torch_attn::_varlen_attn_backward")
def varlen_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Shape, lse: Shape, cu_seq_q: Any, cu_seq_k: Any, max_q: Any,
    max_k: Any, *_: Any, **__: Any,
) -> Cost:  # fmt: skip
    """As `flash_backward`."""
    return backward_cost(packed(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k))


@RULES.rule("aten::_efficient_attention_backward")
def efficient_backward(
    grad_out_: Shape, query: Shape, key: Shape, value: Shape, bias: Any, output: Shape, cu_seqlens_q: Any, cu_seqlens_k: Any,
    max_seqlen_q: Any, max_seqlen_k: Any, *_: Any, **__: Any,
) -> Cost:  # fmt: skip
    """As `flash_backward`."""
    return backward_cost(
        flash_scores(query, key, value, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k)
    )


@RULES.rule("aten::_cudnn_attention_backward")
def cudnn_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Shape, logsumexp: Shape, philox_seed: Any,
    philox_offset: Any, attn_bias: Any, cum_seq_q: Any, cum_seq_k: Any, max_q: Any, max_k: Any, *_: Any, **__: Any,
) -> Cost:  # fmt: skip
    """As `flash_backward`, over `cudnn_scores`."""
    return backward_cost(cudnn_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k))

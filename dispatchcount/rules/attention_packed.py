"""The attention kernels below the ``_scaled_dot_product_*`` operators.

Their operands are (batch, length, heads, size), or sequences packed end to end. A packed call says
where each sequence ends (``cum_seq_q``, ``cu_seqlens_k`` …), and the queries of one sequence meet
only its own keys.

If the contents of those arguments cannot be read, the rules take the worst case that the sizes and
the longest lengths allow, and mark it as an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import TypeGuard

from dispatchcount.rules.attention import (
    Scores,
    attention_backward_cost,
    attention_cost,
    heads_first,
)
from dispatchcount.rules.attention_masks import Window, causal, flash_window, hidden
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import result
from dispatchcount.rules.core.values import Contents, known


def length_first(query: Shape, key: Shape, value: Shape, window: Window | None = None) -> Scores:
    """The scores of operands over (batch, length, heads, size)."""
    batch, queries, heads, dk = query
    keys = key[1]
    return Scores(
        batch * heads * queries * keys,
        dk,
        value[-1],
        batch * heads * queries,
        batch * heads * keys,
        masked=batch * heads * hidden(queries, keys, window),
    )


def packed(
    query: Shape,
    key: Shape,
    value: Shape,
    cum_q: tuple[int, ...],
    cum_k: Contents,
    max_q: Operand,
    max_k: Operand,
    used_k: Contents = None,
    window: Window | None = None,
) -> Scores:
    """The scores of sequences packed along the first dimensions of (…, heads, size).

    Args:
        query: (all tokens, heads, size); some kernels put a dimension of 1 before it.
        key: the same for the keys, which may also lie in pages that the sequences refer to.
        value: the same for the values.
        cum_q: the running sums of the query lengths, from 0: their contents, or only a shape.
        cum_k: the same for the keys.
        max_q: the longest query length, for the worst case.
        max_k: the same for the keys.
        used_k: the number of keys in use per sequence, if they are fewer.
        window: the keys of its sequence that the call lets a query see; None stands for all. In the
            worst case no score counts as masked.
    """
    heads = query[-2]
    q_lengths, k_lengths = lengths(cum_q), known(used_k) or lengths(cum_k)
    tokens = prod(query[:-2])
    if q_lengths is not None and k_lengths is not None:
        sides = list(zip(q_lengths, k_lengths, strict=True))
        return Scores(
            heads * sum(q * k for q, k in sides),
            query[-1],
            value[-1],
            heads * sum(q_lengths),
            heads * sum(k_lengths),
            masked=heads * sum(hidden(q, k, window) for q, k in sides),
        )
    # The worst case: n + 1 running sums stand for n sequences, each as long as the longest.
    keys = prod(key[:-2])
    count = len(q_lengths) if q_lengths is not None else cum_q[0] - 1
    longest_q = max_q if isinstance(max_q, int) else tokens
    longest_k = max_k if isinstance(max_k, int) else keys
    pairs = min(count * longest_q * longest_k, tokens * longest_k, longest_q * keys)
    return Scores(heads * pairs, query[-1], value[-1], heads * tokens, heads * keys, estimate=True)


def lengths(cumulative: Contents) -> Sequence[int] | None:
    """The lengths whose running sums are given; None if only the shape of the sums is known."""
    ends = known(cumulative)
    return None if ends is None else [after - before for before, after in pairwise(ends)]


def is_packed(cumulative: Contents) -> TypeGuard[tuple[int, ...]]:
    """True if a call gives the ends of sequences. None and an empty tensor give none."""
    return cumulative is not None and len(cumulative) > 0 and cumulative != (0,)


def flash_scores(
    q: Shape,
    k: Shape,
    v: Shape,
    cum_q: Contents,
    cum_k: Contents,
    max_q: Operand,
    max_k: Operand,
    used_k: Contents = None,
    window: Window | None = None,
) -> Scores:
    """The scores of `packed` if the ends of sequences are given, else of `length_first`."""
    if is_packed(cum_q):
        return packed(q, k, v, cum_q, cum_k, max_q, max_k, used_k, window)
    return length_first(q, k, v, window)


@RULES.rule("aten::_flash_attention_forward", widths=widths.of(0, 1))
def flash(
    query: Shape, key: Shape, value: Shape, cum_seq_q: Contents, cum_seq_k: Contents,
    max_q: Operand, max_k: Operand, dropout_p: Operand = None, is_causal: bool = False, *_: Operand,
    seqused_k: Contents = None, window_size_left: Operand = None, window_size_right: Operand = None,
    out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_cost` over `flash_scores`."""
    window = flash_window(is_causal, window_size_left, window_size_right)
    scores = flash_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, seqused_k, window)
    return attention_cost(scores, result(out), masked=bool(is_causal))


@RULES.rule("aten::_flash_attention_forward_no_dropout_inplace", widths=widths.of(1, 2))
def flash_into(
    target: Shape, query: Shape, key: Shape, value: Shape, cum_seq_q: Contents, cum_seq_k: Contents,
    max_q: Operand, max_k: Operand, dropout_p: Operand = None, is_causal: bool = False, *_: Operand,
    seqused_k: Contents = None, window_size_left: Operand = None, window_size_right: Operand = None,
    **__: Operand,
) -> Cost:  # fmt: skip
    """Costs what `flash` does, and writes to its first argument."""
    window = flash_window(is_causal, window_size_left, window_size_right)
    scores = flash_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, seqused_k, window)
    return attention_cost(scores, target, masked=bool(is_causal))


def varlen_window(is_causal: bool, window_size: Operand) -> Window | None:
    """The window of a varlen kernel: a pair of keys before and after, negative ones for all."""
    pair = window_size if isinstance(window_size, list | tuple) and len(window_size) == 2 else ()
    left, right = pair or (None, None)
    return flash_window(is_causal, left, right)


@RULES.rule("torch_attn::_varlen_attn", widths=widths.of(0, 1))
def varlen(
    query: Shape, key: Shape, value: Shape, cu_seq_q: tuple[int, ...], cu_seq_k: Contents,
    max_q: Operand, max_k: Operand, is_causal: bool = False, scale: Operand = None,
    window_size: Operand = None, enable_gqa: bool = False, seqused_k: Contents = None, *_: Operand,
    out: Operand,
) -> Cost:  # fmt: skip
    """Costs what `flash` does; ``torch.nn.attention.varlen`` runs it."""
    window = varlen_window(is_causal, window_size)
    scores = packed(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, seqused_k, window)
    return attention_cost(scores, result(out), masked=bool(is_causal))


@RULES.rule("torch_attn::_varlen_attn_out", widths=widths.of(1, 2))
def varlen_into(
    target: Shape, query: Shape, key: Shape, value: Shape, cu_seq_q: tuple[int, ...],
    cu_seq_k: Contents, max_q: Operand, max_k: Operand, is_causal: bool = False,
    scale: Operand = None, window_size: Operand = None, enable_gqa: bool = False,
    seqused_k: Contents = None, *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs what `varlen` does, and writes to its first argument."""
    window = varlen_window(is_causal, window_size)
    scores = packed(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, seqused_k, window)
    return attention_cost(scores, target, masked=bool(is_causal))


def efficient_window(custom_mask_type: int, window_size: Operand) -> Window | None:
    """The window of an efficient kernel by its type of mask.

    Type 1 is causal from the first key, type 2 causal up to the last one. With a further window the
    masked scores are not known, and none counts as masked.
    """
    if custom_mask_type not in (1, 2) or window_size is not None:
        return None
    return Window(right=0, bottom=custom_mask_type == 2)


@RULES.rule("aten::_efficient_attention_forward", widths=widths.of(0, 1))
def efficient(
    query: Shape, key: Shape, value: Shape, bias: Shape | None, cu_seqlens_q: Contents,
    cu_seqlens_k: Contents, max_seqlen_q: Operand, max_seqlen_k: Operand, dropout_p: Operand,
    custom_mask_type: int, *_: Operand, seqlen_k: Contents = None, window_size: Operand = None,
    out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_cost` over `flash_scores`.

    Packed sequences have a first dimension of 1. Mask types 1 and 2 are causal.
    """
    window = efficient_window(custom_mask_type, window_size)
    scores = flash_scores(
        query, key, value, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, seqlen_k, window
    )
    return attention_cost(scores, result(out), masked=bias is not None or bool(custom_mask_type))


@RULES.rule("aten::_cudnn_attention_forward", widths=widths.of(0, 1))
def cudnn(
    query: Shape, key: Shape, value: Shape, attn_bias: Shape | None, cum_seq_q: Contents,
    cum_seq_k: Contents, max_q: Operand, max_k: Operand, compute_log_sumexp: bool,
    dropout_p: Operand = None, is_causal: bool = False, *_: Operand, seqused_k: Contents = None,
    out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_cost` over `cudnn_scores`."""
    scores = cudnn_scores(
        query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, seqused_k, causal(is_causal)
    )
    return attention_cost(scores, result(out), masked=attn_bias is not None or bool(is_causal))


def cudnn_scores(
    q: Shape,
    k: Shape,
    v: Shape,
    cum_q: Contents,
    cum_k: Contents,
    max_q: Operand,
    max_k: Operand,
    used_k: Contents = None,
    window: Window | None = None,
) -> Scores:
    """The scores of `packed` if the ends of sequences are given, else of `heads_first`.

    So cuDNN's layout is not that of the other two kernels.
    """
    return (
        packed(q, k, v, cum_q, cum_k, max_q, max_k, used_k, window)
        if is_packed(cum_q)
        else heads_first(q, k, v, window)
    )


@RULES.rule("aten::_flash_attention_backward", widths=widths.of(1, 2))
def flash_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Shape, logsumexp: Shape,
    cum_seq_q: Contents, cum_seq_k: Contents, max_q: Operand, max_k: Operand,
    dropout_p: Operand = None, is_causal: bool = False, *_: Operand,
    window_size_left: Operand = None, window_size_right: Operand = None, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_backward_cost` over `flash_scores`."""
    window = flash_window(is_causal, window_size_left, window_size_right)
    return attention_backward_cost(
        flash_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, window=window)
    )


@RULES.rule("torch_attn::_varlen_attn_backward", widths=widths.of(1, 2))
def varlen_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Shape, lse: Shape,
    cu_seq_q: tuple[int, ...], cu_seq_k: Contents, max_q: Operand, max_k: Operand,
    is_causal: bool = False, rng_state: Operand = None, scale: Operand = None,
    window_size: Operand = None, *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_backward_cost` over `packed`."""
    window = varlen_window(is_causal, window_size)
    return attention_backward_cost(
        packed(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, window=window)
    )


@RULES.rule("aten::_efficient_attention_backward", widths=widths.of(1, 2))
def efficient_backward(
    grad_out_: Shape, query: Shape, key: Shape, value: Shape, bias: Operand, output: Shape,
    cu_seqlens_q: Contents, cu_seqlens_k: Contents, max_seqlen_q: Operand, max_seqlen_k: Operand,
    logsumexp: Operand = None, dropout_p: Operand = None, philox_seed: Operand = None,
    philox_offset: Operand = None, custom_mask_type: int = 0, *_: Operand,
    window_size: Operand = None, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_backward_cost` over `flash_scores`."""
    window = efficient_window(custom_mask_type, window_size)
    scores = flash_scores(
        query, key, value, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, window=window
    )
    return attention_backward_cost(scores)


@RULES.rule("aten::_cudnn_attention_backward", widths=widths.of(1, 2))
def cudnn_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Shape, logsumexp: Shape,
    philox_seed: Operand, philox_offset: Operand, attn_bias: Operand, cum_seq_q: Contents,
    cum_seq_k: Contents, max_q: Operand, max_k: Operand, dropout_p: Operand = None,
    is_causal: bool = False, *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention.attention_backward_cost` over `cudnn_scores`."""
    window = causal(is_causal)
    return attention_backward_cost(
        cudnn_scores(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, window=window)
    )

"""What attention costs, and the rules of the kernels over (batch, heads, length, size).

Every query meets every key. A causal or other mask is not subtracted, because the kernels compute
the full rectangle, or skip parts of it as they see fit. Each score takes

* ``dk`` MACs for the product with the key, and ``dv`` for that with the value,
* the softmax (`softmax.softmax_cost`),
* an addition if there is a mask.

The MACs of scores that the call's own arguments mask (`attention_masks`) are also told as
``masked_macs``. They stay among the MACs.

Query and key are each scaled once, as in the unfused form. With grouped heads each query head
counts, however few key heads there are. The output alone counts as activations.

Backward costs what the fused kernels do: they form the scores again, then the gradients of value,
scores, query and key. That is five products, where the unfused backward needs four. The fifth is
also told as ``recomputed_macs``.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from dispatchcount.rules.attention_masks import Window, causal, hidden
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.products import items
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import broadcast, result
from dispatchcount.rules.softmax import softmax_cost


class Scores(NamedTuple):
    """The rectangle of scores of one attention, or of many.

    Attributes:
        pairs: pairs of query and key, over all batches and query heads.
        dk: the size of a query and of a key.
        dv: the size of a value.
        queries: query vectors, over all batches and query heads.
        keys: key vectors, each key head repeated for the query heads that it serves.
        estimate: True if the lengths are not known, so that the worst case was taken.
        masked: the pairs among them that the call says are masked.
    """

    pairs: int
    dk: int
    dv: int
    queries: int
    keys: int
    estimate: bool = False
    masked: int = 0


def attention_cost(scores: Scores, out: Shape, *, masked: bool = False) -> Cost:
    """Two products, the softmax between them, the scaling, and the mask if there is one."""
    arithmetic = (scores.queries + scores.keys) * scores.dk + scores.pairs * masked
    products = Cost(
        scores.pairs * (scores.dk + scores.dv),
        arithmetic,
        activations=out.numel,
        estimate=scores.estimate,
        masked_macs=scores.masked * (scores.dk + scores.dv),
    )
    return products + softmax_cost(scores.pairs)


def attention_backward_cost(scores: Scores) -> Cost:
    """Five products, and the gradient of the softmax.

    Each score takes the softmax from its saved logarithm (subtract, exp) and its gradient
    (subtract, multiply). Each element of query and value takes the row sum of gradient times output
    (multiply, add), and the scaling of query, key and their gradients.
    """
    each = 3 * scores.dk + 2 * scores.dv
    arithmetic = (
        3 * scores.pairs
        + 2 * scores.queries * scores.dv
        + 2 * (scores.queries + scores.keys) * scores.dk
    )
    return Cost(
        scores.pairs * each,
        arithmetic,
        transcendentals=scores.pairs,
        estimate=scores.estimate,
        masked_macs=scores.masked * each,
        recomputed_macs=scores.pairs * scores.dk,
    )


def heads_first(query: Shape, key: Shape, value: Shape, window: Window | None = None) -> Scores:
    """The scores of operands over (…, heads, length, size).

    The leading dimensions broadcast. Nested tensors are summed item by item.

    Args:
        query: the operand of that name.
        key: likewise.
        value: likewise.
        window: the keys that the call lets a query see; None stands for all.
    """
    if query.lengths or key.lengths:
        both = zip(items(query, key), items(key, query), strict=True)
        each = [heads_first(q, k, Shape((*k[:-1], value[-1])), window) for q, k in both]
        size = value.lengths[0][-1] if value.lengths else value[-1]
        totals = (sum(s[i] for s in each) for i in (0, 3, 4, 6))
        pairs, queries, keys, masked = totals
        return Scores(pairs, each[0].dk if each else 0, size, queries, keys, masked=masked)
    batch = broadcast(query[:-2], key[:-2])
    return Scores(
        batch * query[-2] * key[-2],
        query[-1],
        value[-1],
        prod(query[:-1]),
        batch * key[-2],
        masked=batch * hidden(query[-2], key[-2], window),
    )


@RULES.rule(
    "aten::scaled_dot_product_attention", "aten::_scaled_dot_product_attention_math",
    "aten::_scaled_dot_product_attention_math_for_mps",
    "aten::_scaled_dot_product_fused_attention_overrideable", widths=widths.of(0, 1),
)  # fmt: skip
def attention(
    query: Shape, key: Shape, value: Shape, attn_mask: Shape | None = None,
    dropout_p: Operand = None, is_causal: bool = False, *_: Operand, out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_cost`."""
    scores = heads_first(query, key, value, causal(is_causal))
    masked = attn_mask is not None or is_causal
    return attention_cost(scores, result(out), masked=masked)


@RULES.rule(
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    widths=widths.of(0, 1),
)
def flash(
    query: Shape, key: Shape, value: Shape, dropout_p: Operand = None, is_causal: bool = False,
    *_: Operand, attn_mask: Shape | None = None, out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_cost`."""
    scores = heads_first(query, key, value, causal(is_causal))
    masked = attn_mask is not None or is_causal
    return attention_cost(scores, result(out), masked=masked)


@RULES.rule("aten::_scaled_dot_product_flash_attention.quantized", widths=widths.of(0, 1))
def flash_quantized(
    query: Shape, key: Shape, value: Shape, q_descale: Operand, k_descale: Operand,
    v_descale: Operand, dropout_p: Operand = None, is_causal: bool = False, *_: Operand,
    out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_cost`; the operands are 8-bit floats."""
    scores = heads_first(query, key, value, causal(is_causal))
    return attention_cost(scores, result(out), masked=bool(is_causal))


@RULES.rule(
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    widths=widths.of(0, 1),
)
def efficient(
    query: Shape, key: Shape, value: Shape, attn_bias: Shape | None, compute_log_sumexp: bool,
    dropout_p: Operand = None, is_causal: bool = False, *_: Operand, out: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_cost`."""
    scores = heads_first(query, key, value, causal(is_causal))
    masked = attn_bias is not None or is_causal
    return attention_cost(scores, result(out), masked=masked)


@RULES.rule("aten::_triton_scaled_dot_attention")
def triton(q: Shape, k: Shape, v: Shape, *_: Operand, out: Operand) -> Cost:
    """Costs `attention_cost`."""
    return attention_cost(heads_first(q, k, v), result(out))


@RULES.rule("aten::_scaled_dot_product_flash_attention_backward", widths=widths.of(1, 2))
def flash_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Operand = None,
    logsumexp: Operand = None, cum_seq_q: Operand = None, cum_seq_k: Operand = None,
    max_q: Operand = None, max_k: Operand = None, dropout_p: Operand = None,
    is_causal: bool = False, *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_backward_cost`."""
    return attention_backward_cost(heads_first(query, key, value, causal(is_causal)))


@RULES.rule("aten::_scaled_dot_product_flash_attention_for_cpu_backward", widths=widths.of(1, 2))
def flash_cpu_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Operand = None,
    logsumexp: Operand = None, dropout_p: Operand = None, is_causal: bool = False, *_: Operand,
    **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_backward_cost`."""
    return attention_backward_cost(heads_first(query, key, value, causal(is_causal)))


@RULES.rule("aten::_scaled_dot_product_efficient_attention_backward", widths=widths.of(1, 2))
def efficient_backward(
    grad_out_: Shape, query: Shape, key: Shape, value: Shape, attn_bias: Operand = None,
    output: Operand = None, logsumexp: Operand = None, philox_seed: Operand = None,
    philox_offset: Operand = None, dropout_p: Operand = None, grad_input_mask: Operand = None,
    is_causal: bool = False, *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_backward_cost`."""
    return attention_backward_cost(heads_first(query, key, value, causal(is_causal)))


@RULES.rule("aten::_scaled_dot_product_cudnn_attention_backward", widths=widths.of(1, 2))
def cudnn_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, output: Operand = None,
    logsumexp: Operand = None, philox_seed: Operand = None, philox_offset: Operand = None,
    attn_bias: Operand = None, cum_seq_q: Operand = None, cum_seq_k: Operand = None,
    max_q: Operand = None, max_k: Operand = None, dropout_p: Operand = None,
    is_causal: bool = False, *_: Operand, **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_backward_cost`."""
    return attention_backward_cost(heads_first(query, key, value, causal(is_causal)))


@RULES.rule(
    "aten::_scaled_dot_product_fused_attention_overrideable_backward", widths=widths.of(1, 2)
)
def overrideable_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, attn_bias: Operand = None,
    grad_input_mask: Operand = None, output: Operand = None, logsumexp: Operand = None,
    cum_seq_q: Operand = None, cum_seq_k: Operand = None, max_q: Operand = None,
    max_k: Operand = None, dropout_p: Operand = None, is_causal: bool = False, *_: Operand,
    **__: Operand,
) -> Cost:  # fmt: skip
    """Costs `attention_backward_cost`."""
    return attention_backward_cost(heads_first(query, key, value, causal(is_causal)))

"""What attention costs, and the rules of the kernels that take query, key and value in the layout (batch, heads, length, size).

Every query meets every key: a causal or other mask is not subtracted, because the kernels compute the full rectangle or skip
parts of it as they see fit. Per score: ``dk`` MACs for the product with the key, ``dv`` for that with the value, the softmax
(`softmax.softmax_cost`), and an addition if there is a mask. Query and key are each scaled once, as in the unfused form. Grouped
heads: each query head counts, whatever number of key heads serves it. The one thing handed on is the output.

Backward, as the fused kernels run it: the scores are formed again, then the gradients of value, scores, query and key. That is
five products where the unfused backward needs four.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.products import items
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import broadcast, result
from dispatchcount.rules.softmax import softmax_cost


class Scores(NamedTuple):
    """The rectangle of one or many attentions.

    Attributes:
        pairs: query-key pairs over all batches and query heads.
        dk: size of a query and of a key.
        dv: size of a value.
        queries: vectors over all batches and query heads.
        keys: the same, each key head repeated for the query heads it serves.
        estimate: the lengths were not known and the worst case was taken.
    """

    pairs: int
    dk: int
    dv: int
    queries: int
    keys: int
    estimate: bool = False


def forward_cost(scores: Scores, out: Shape, *, masked: bool = False) -> Cost:
    """Two products, the softmax between them, the scaling, the mask."""
    arithmetic = (scores.queries + scores.keys) * scores.dk + scores.pairs * masked
    products = Cost(
        scores.pairs * (scores.dk + scores.dv),
        arithmetic,
        activations=out.numel,
        estimate=scores.estimate,
    )
    return products + softmax_cost(scores.pairs)


def backward_cost(scores: Scores) -> Cost:
    """Five products; per score the softmax from its saved logarithm (subtract, exp) and its gradient (subtract, multiply).

    Per query and value element also the row sum of gradient times output (two), and the scaling of query and key and of their
    gradients.
    """
    macs = scores.pairs * (3 * scores.dk + 2 * scores.dv)
    arithmetic = (
        3 * scores.pairs
        + 2 * scores.queries * scores.dv
        + 2 * (scores.queries + scores.keys) * scores.dk
    )
    return Cost(macs, arithmetic, transcendentals=scores.pairs, estimate=scores.estimate)


def heads_first(query: Shape, key: Shape, value: Shape) -> Scores:
    """The scores of (…, heads, length, size), broadcast over leading dimensions; nested tensors item by item."""
    if query.lengths or key.lengths:
        both = zip(items(query, key), items(key, query), strict=True)
        each = [heads_first(q, k, Shape((*k[:-1], value[-1]))) for q, k in both]
        size = value.lengths[0][-1] if value.lengths else value[-1]
        totals = (sum(s[i] for s in each) for i in (0, 3, 4))
        pairs, queries, keys = totals
        return Scores(pairs, each[0].dk if each else 0, size, queries, keys)
    batch = broadcast(query[:-2], key[:-2])
    return Scores(
        batch * query[-2] * key[-2], query[-1], value[-1], prod(query[:-1]), batch * key[-2]
    )


def flex_cost(query: Shape, key: Shape, value: Shape, out: Shape, pairs: int | None = None) -> Cost:
    """Flex attention over (batch, heads, length, size).

    Args:
        query: (batch, heads, length, size).
        key: (batch, key heads, key length, size).
        value: (batch, key heads, key length, value size).
        out: the first result.
        pairs: scores in the blocks that the block mask keeps; all if None. What `score_mod` does is not in here.
    """
    return forward_cost(kept(heads_first(query, key, value), pairs), out)


def flex_backward_cost(query: Shape, key: Shape, value: Shape, pairs: int | None = None) -> Cost:
    """The gradients of flex attention, arguments as for `flex_cost`."""
    return backward_cost(kept(heads_first(query, key, value), pairs))


def kept(scores: Scores, pairs: int | None) -> Scores:
    """`scores` with only so many pairs computed."""
    return scores if pairs is None else scores._replace(pairs=min(pairs, scores.pairs))


@RULES.rule(
    "aten::scaled_dot_product_attention", "aten::_scaled_dot_product_attention_math",
    "aten::_scaled_dot_product_attention_math_for_mps", "aten::_scaled_dot_product_fused_attention_overrideable",
)  # fmt: skip
def attention(
    query: Shape, key: Shape, value: Shape, attn_mask: Shape | None = None, dropout_p: Any = None, is_causal: bool = False,
    *_: Any, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`forward_cost`."""
    masked = attn_mask is not None or is_causal
    return forward_cost(heads_first(query, key, value), result(out), masked=masked)


@RULES.rule(
    "aten::_scaled_dot_product_flash_attention", "aten::_scaled_dot_product_flash_attention_for_cpu"
)
def flash(
    query: Shape, key: Shape, value: Shape, dropout_p: Any = None, is_causal: bool = False, *_: Any,
    attn_mask: Shape | None = None, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`forward_cost`."""
    masked = attn_mask is not None or is_causal
    return forward_cost(heads_first(query, key, value), result(out), masked=masked)


@RULES.rule("aten::_scaled_dot_product_flash_attention.quantized")
def flash_quantized(
    query: Shape, key: Shape, value: Shape, q_descale: Any, k_descale: Any, v_descale: Any, dropout_p: Any = None,
    is_causal: bool = False, *_: Any, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`forward_cost`, in 8-bit floats."""
    return forward_cost(heads_first(query, key, value), result(out), masked=bool(is_causal))


@RULES.rule(
    "aten::_scaled_dot_product_efficient_attention", "aten::_scaled_dot_product_cudnn_attention"
)
def efficient(
    query: Shape, key: Shape, value: Shape, attn_bias: Shape | None, compute_log_sumexp: bool, dropout_p: Any = None,
    is_causal: bool = False, *_: Any, out: Any, **__: Any,
) -> Cost:  # fmt: skip
    """`forward_cost`."""
    masked = attn_bias is not None or is_causal
    return forward_cost(heads_first(query, key, value), result(out), masked=masked)


@RULES.rule("aten::_triton_scaled_dot_attention")
def triton(q: Shape, k: Shape, v: Shape, *_: Any, out: Any) -> Cost:
    """`forward_cost`."""
    return forward_cost(heads_first(q, k, v), result(out))


@RULES.rule(
    "aten::_scaled_dot_product_flash_attention_backward", "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
    "aten::_scaled_dot_product_efficient_attention_backward", "aten::_scaled_dot_product_cudnn_attention_backward",
    "aten::_scaled_dot_product_fused_attention_overrideable_backward",
)  # fmt: skip
def attention_backward(
    grad_out: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any
) -> Cost:
    """`backward_cost`."""
    return backward_cost(heads_first(query, key, value))

"""Whole layers in one kernel: multi-head attention and the Transformer encoder layer.

These are the inference fast paths of those layers. They cost what their parts cost when the layer
runs step by step: projections, attention, residual sums, norms and feed-forward.
"""

from __future__ import annotations

from dispatchcount.rules.attention import attention_cost, heads_first
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import function_cost, part
from dispatchcount.rules.core.products import rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import result


def multihead_cost(
    query: Shape,
    key: Shape,
    value: Shape,
    width: int,
    heads: int,
    *,
    masked: bool,
    weights: bool = False,
    out: Shape,
) -> Cost:
    """Projections of query, key, value and result, each with a bias, around attention in `heads`
    heads.

    A layer that hands out its attention weights scales only the query, where the fused attention
    scales the key too.

    Args:
        query: (batch, length, width), or nested.
        key: the same for the keys.
        value: the same for the values.
        width: the size of a vector over all heads.
        heads: the number of heads.
        masked: True if there is a mask.
        weights: True if the layer hands out its attention weights.
        out: the result.
    """
    vectors = rows(query) + rows(key) + rows(value) + rows(query)
    projections = Cost(macs=vectors * width * width, arithmetic=vectors * width)
    q, k, v = (in_heads(x, width, heads) for x in (query, key, value))
    scores = heads_first(q, k, v)
    return projections + attention_cost(
        scores._replace(keys=0) if weights else scores, out, masked=masked
    )


def in_heads(x: Shape, width: int, heads: int) -> Shape:
    """The shape (batch, heads, length, width / heads) of a tensor over (batch, length, width).

    A nested tensor is split item by item.
    """
    size = width // heads
    lengths = tuple((heads, item[0], size) for item in x.lengths)
    return Shape((x[0], heads, x[1], size), x.dtype, x.layout, lengths=lengths)


@RULES.rule("aten::_native_multi_head_attention")
def native(
    query: Shape, key: Shape, value: Shape, embed_dim: int, num_head: int, qkv_weight: Shape,
    qkv_bias: Shape, proj_weight: Shape, proj_bias: Shape, mask: Shape | None = None,
    need_weights: bool = True, average_attn_weights: bool = True, *_: Operand, out: Operand,
) -> Cost:  # fmt: skip
    """Costs `multihead_cost`, and the mean of the weights over the heads if it is asked for.

    The mean takes an addition per head and a division.
    """
    masked = mask is not None
    cost = multihead_cost(
        query, key, value, embed_dim, num_head, masked=masked, weights=need_weights, out=result(out)
    )
    if need_weights and average_attn_weights:
        cost += Cost(arithmetic=(num_head + 1) * rows(query) * key[-2])
    return cost


@RULES.rule("aten::_triton_multi_head_attention")
def triton(
    query: Shape, key: Shape, value: Shape, embed_dim: int, num_head: int, qkv_weight: Shape,
    qkv_bias: Shape, proj_weight: Shape, proj_bias: Shape, mask: Shape | None = None, *, out: Shape,
) -> Cost:  # fmt: skip
    """Costs `multihead_cost`."""
    return multihead_cost(query, key, value, embed_dim, num_head, masked=mask is not None, out=out)


@RULES.rule("aten::_transformer_encoder_layer_fwd")
def encoder_layer(
    src: Shape, embed_dim: int, num_heads: int, qkv_weight: Shape, qkv_bias: Shape,
    proj_weight: Shape, proj_bias: Shape, use_gelu: bool, norm_first: bool, eps: Operand,
    norm_weight_1: Shape, norm_bias_1: Shape, norm_weight_2: Shape, norm_bias_2: Shape,
    ffn_weight_1: Shape, ffn_bias_1: Shape, ffn_weight_2: Shape, ffn_bias_2: Shape,
    mask: Shape | None = None, *_: Operand, out: Shape,
) -> Cost:  # fmt: skip
    """Attention, two norms, two residual sums, and a feed-forward.

    The feed-forward is two linear layers around a ReLU or a GELU.
    """
    tokens, inner = rows(src), ffn_weight_1[0]
    attention = multihead_cost(
        src, src, src, embed_dim, num_heads, masked=mask is not None, out=out
    )
    norm = part(
        "aten::native_layer_norm",
        Shape((tokens, embed_dim)),
        (embed_dim,),
        norm_weight_1,
        norm_bias_1,
        eps,
        out=out,
    )
    feed_forward = Cost(
        macs=2 * tokens * embed_dim * inner, arithmetic=tokens * (embed_dim + inner)
    )
    activation = function_cost("gelu" if use_gelu else "relu", tokens * inner)
    return attention + 2 * norm + feed_forward + activation + 2 * function_cost("add", out.numel)

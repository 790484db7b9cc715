"""Flex attention, a higher-order operator whose block mask says which scores are computed.

Which blocks a mask keeps is data, and no rule reads data. So capture asks `kept_scores` while the
call runs, and hands the number to the rules below as `computed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatchcount.rules.attention import (
    Scores,
    attention_backward_cost,
    attention_cost,
    heads_first,
)
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape

if TYPE_CHECKING:
    from torch import Tensor


def kept_scores(
    query: Sequence[int],
    key: Sequence[int],
    blocks: Sequence[tuple[Tensor, Tensor]],
    block_q: int,
    block_kv: int,
) -> int:
    """Scores, over batch and query heads, in the blocks that a block mask keeps.

    A block at the border counts as far as the queries and keys reach. The sums are worked out on
    the mask's own device, so that a mask of many blocks is not copied.

    Args:
        query: the sizes (batch, heads, length, size) of the queries.
        key: the same of the keys.
        blocks: pairs of the mask's tensors; sizes of 1 broadcast. The first of a pair says how many
            blocks each row of blocks keeps, (batch, heads, rows). The second lists their columns,
            (batch, heads, rows, columns), of which only that many count. Partly masked blocks are
            one pair, full blocks another.
        block_q: queries in a block.
        block_kv: keys in a block.
    """
    import torch  # here, because the rules themselves need no torch

    batch, heads, rows, columns = query[0], query[1], query[2], key[2]
    total = 0
    for number, indices in blocks:
        places = torch.arange(number.shape[-1], device=number.device)
        height = (rows - places * block_q).clamp(0, block_q)
        width = (columns - indices.long() * block_kv).clamp(0, block_kv)
        listed = torch.arange(indices.shape[-1], device=number.device) < number[..., None]
        scores = int(((width * listed).sum(-1) * height).sum())
        total += scores * (batch // number.shape[0]) * (heads // number.shape[1])
    return total


def flex_cost(query: Shape, key: Shape, value: Shape, out: Shape, pairs: int | None = None) -> Cost:
    """Flex attention over (batch, heads, length, size), without what `score_mod` does.

    Args:
        query: (batch, heads, length, size).
        key: (batch, key heads, key length, size).
        value: (batch, key heads, key length, value size).
        out: the first result.
        pairs: scores in the blocks that the block mask keeps; None stands for all scores.
    """
    return attention_cost(kept(heads_first(query, key, value), pairs), out)


def flex_backward_cost(query: Shape, key: Shape, value: Shape, pairs: int | None = None) -> Cost:
    """The gradients of flex attention; the arguments are those of `flex_cost`."""
    return attention_backward_cost(kept(heads_first(query, key, value), pairs))


def kept(scores: Scores, pairs: int | None) -> Scores:
    """The same `scores`, of which only so many pairs are computed."""
    return scores if pairs is None else scores._replace(pairs=min(pairs, scores.pairs))


@RULES.rule("higher_order::flex_attention", widths=widths.of(0, 1))
def flex_attention(
    query: Shape,
    key: Shape,
    value: Shape,
    *_: Operand,
    computed: int | None = None,
    out: Sequence[Shape],
) -> Cost:
    """Costs `flex_cost`; `computed` is None if the contents of the block mask are not known."""
    return flex_cost(query, key, value, out[0], computed)


@RULES.rule("higher_order::flex_attention_backward", widths=widths.of(0, 1))
def flex_attention_backward(
    query: Shape, key: Shape, value: Shape, *_: Operand, computed: int | None = None
) -> Cost:
    """Costs `flex_backward_cost`; `computed` is that of `flex_attention`."""
    return flex_backward_cost(query, key, value, computed)

"""Flex attention, a higher-order operator whose block mask says which scores are computed.

Which blocks a mask keeps, and what it hides in those that it keeps in part, is data, and no rule
reads data. So capture asks while the call runs, and hands the numbers to the rules below as
`computed` and `masked`.
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


def flex_cost(
    query: Shape,
    key: Shape,
    value: Shape,
    out: Shape,
    computed: int | None = None,
    masked: int | None = None,
) -> Cost:
    """Flex attention over (batch, heads, length, size), without what `score_mod` does.

    Args:
        query: (batch, heads, length, size).
        key: (batch, key heads, key length, size).
        value: (batch, key heads, key length, value size).
        out: the first result.
        computed: scores in the blocks that the block mask keeps; None stands for all scores.
        masked: those of them that the mask's function hides; None if it is not known.
    """
    return attention_cost(_scores(query, key, value, computed, masked), out)


def flex_backward_cost(
    query: Shape,
    key: Shape,
    value: Shape,
    computed: int | None = None,
    masked: int | None = None,
) -> Cost:
    """The gradients of flex attention; the arguments are those of `flex_cost`."""
    return attention_backward_cost(_scores(query, key, value, computed, masked))


def _scores(
    query: Shape, key: Shape, value: Shape, computed: int | None, masked: int | None
) -> Scores:
    scores = heads_first(query, key, value)
    if computed is None:
        return scores
    return scores._replace(pairs=min(computed, scores.pairs), masked=masked or 0)


@RULES.rule("higher_order::flex_attention", widths=widths.of(0, 1))
def flex_attention(
    query: Shape,
    key: Shape,
    value: Shape,
    *_: Operand,
    computed: int | None = None,
    masked: int | None = None,
    out: Sequence[Shape],
) -> Cost:
    """Costs `flex_cost`; what the block mask says is None where its contents are not known."""
    return flex_cost(query, key, value, out[0], computed, masked)


@RULES.rule("higher_order::flex_attention_backward", widths=widths.of(0, 1))
def flex_attention_backward(
    query: Shape,
    key: Shape,
    value: Shape,
    *_: Operand,
    computed: int | None = None,
    masked: int | None = None,
) -> Cost:
    """Costs `flex_backward_cost`; `computed` and `masked` are those of `flex_attention`."""
    return flex_backward_cost(query, key, value, computed, masked)

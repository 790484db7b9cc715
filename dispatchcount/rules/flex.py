"""Flex attention, a higher-order operator: `computed` is what capture reads off its block mask."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.attention import flex_backward_cost, flex_cost
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape


@RULES.rule("higher_order::flex_attention")
def flex_attention(
    query: Shape, key: Shape, value: Shape, *_: Any, computed: int | None = None, out: Any
) -> Cost:
    """`flex_cost`; `computed` is the number of scores in the blocks that are kept, all of them where that is not known."""
    return flex_cost(query, key, value, out[0], computed)


@RULES.rule("higher_order::flex_attention_backward")
def flex_attention_backward(
    query: Shape, key: Shape, value: Shape, *_: Any, computed: int | None = None
) -> Cost:
    """`flex_backward_cost`."""
    return flex_backward_cost(query, key, value, computed)

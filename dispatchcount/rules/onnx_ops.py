"""The ``onnx`` namespace (torch.onnx.ops): operators of the ONNX standard, run in Python for tests of an export."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.attention import forward_cost, heads_first
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, shapes


def _split(packed: Shape, heads: int) -> tuple[int, ...]:
    """(batch, length, heads * size) as (batch, heads, length, size); four dimensions are that already."""
    if len(packed) == 4:
        return packed
    batch, length, width = packed
    return (batch, heads, length, width // max(heads, 1))


@RULES.rule("onnx::Attention")
def attention(
    q: Shape, k: Shape, v: Shape, mask: Any = None, past_key: Any = None, past_value: Any = None, *,
    kv_num_heads: int = 0, q_num_heads: int = 0, out: Any, **_: Any,
) -> Cost:  # fmt: skip
    """Attention over the past keys and the present ones."""
    batch, heads, length, size = _split(k, kv_num_heads)
    length += past_key[-2] if past_key is not None else 0
    value = (batch, heads, length, _split(v, kv_num_heads)[-1])
    scores = heads_first(
        Shape(_split(q, q_num_heads)), Shape((batch, heads, length, size)), Shape(value)
    )
    return forward_cost(scores, shapes(out)[0], masked=mask is not None)


@RULES.rule("onnx::RotaryEmbedding")
def rotary_embedding(x: Shape, *_: Any, **__: Any) -> Cost:
    """Per element two products and a sum."""
    return Cost(arithmetic=3 * x.numel)


_SYMBOLIC = (
    "stands for any ONNX operator in a graph that is being exported; "
    "it has no mathematics of its own"
)
RULES.unknown(
    {
        "onnx_symbolic::_symbolic": _SYMBOLIC,
        "onnx_symbolic::_symbolic_multi_out": _SYMBOLIC,
    }
)

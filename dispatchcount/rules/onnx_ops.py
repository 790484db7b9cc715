"""The ``onnx`` namespace (torch.onnx.ops): ONNX operators, run in Python for tests of an export."""

from __future__ import annotations

from dispatchcount.rules.attention import attention_cost, heads_first
from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, shapes


def _split(packed: Shape, heads: int) -> tuple[int, ...]:
    """The sizes (batch, heads, length, size) of an operand over (batch, length, heads * size).

    An operand of four dimensions has these sizes already.
    """
    if len(packed) == 4:
        return packed
    batch, length, width = packed
    return (batch, heads, length, width // max(heads, 1))


@RULES.rule("onnx::Attention", widths=widths.of(0, 1))
def attention(
    q: Shape, k: Shape, v: Shape, mask: Operand = None, past_key: Shape | None = None,
    past_value: Operand = None, *, kv_num_heads: int = 0, q_num_heads: int = 0, out: Operand,
    **_: Operand,
) -> Cost:  # fmt: skip
    """Attention of the queries over the past keys and the present ones."""
    batch, heads, length, size = _split(k, kv_num_heads)
    length += past_key[-2] if past_key is not None else 0
    value = (batch, heads, length, _split(v, kv_num_heads)[-1])
    scores = heads_first(
        Shape(_split(q, q_num_heads)), Shape((batch, heads, length, size)), Shape(value)
    )
    return attention_cost(scores, shapes(out)[0], masked=mask is not None)


@RULES.rule("onnx::RotaryEmbedding")
def rotary_embedding(x: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes two products and a sum per element."""
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

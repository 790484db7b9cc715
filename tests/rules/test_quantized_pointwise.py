"""Element-wise operators on quantized tensors."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask


def test_quantised_elementwise_counts_what_the_float_one_does() -> None:
    q = S(3, 4, dtype="quint8")
    assert ask("quantized::add", q, q, None, 0, out=q) == Cost(arithmetic=12)
    assert ask("quantized::add_relu", q, q, None, 0, out=q) == Cost(arithmetic=24)
    assert ask("quantized::sigmoid", q, None, 0, out=q) == ask("aten::sigmoid", q, out=q)
    assert ask("onednn::qmul", q, None, 0, q, None, 0, None, 0, None, out=q) == Cost(arithmetic=12)


def test_dropout_and_cat() -> None:
    """A mask and a scale in training; stored integers are copied."""
    q = S(3, 4, dtype="quint8")
    assert ask("quantized::dropout", q, None, 0, 0.5, True, out=q) == Cost(arithmetic=24)
    assert ask("quantized::dropout", q, None, 0, 0.5, False, out=q) == Cost()
    assert ask("quantized::cat", (q, q), 0, None, 0, out=S(6, 4, dtype="quint8")) == Cost()

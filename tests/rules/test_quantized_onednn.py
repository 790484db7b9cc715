"""oneDNN's quantized kernels cost what their float twins do."""

from __future__ import annotations

import pytest

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask

pytestmark = pytest.mark.usefixtures("quantized_engine")


def test_onednn_kernels() -> None:
    x, w, b, out = S(2, 3, 8), S(8, 5), S(5), S(2, 3, 5)
    linear = ask("aten::linear", x, S(5, 8), b, out=out)
    scales = (None, 0), (S(5), S(5))
    head = (x, *scales[0], w, *scales[1])
    unary = ask("onednn::qlinear_pointwise", *head, b, None, 0, None, "relu", (), "", out=out)
    assert unary == linear + Cost(arithmetic=30)
    tail = (None, 0, None, None, 0, "sum", None, "relu", (), "")
    assert ask("onednn::qlinear_pointwise.binary", *head, out, b, *tail, out=out) == linear + Cost(
        arithmetic=60
    )
    image, filters, result = S(2, 4, 6, 6), S(6, 4, 3, 3), S(2, 6, 4, 4)
    conv = ask("aten::conv2d", image, filters, S(6), out=result)
    head = (image, *scales[0], filters, *scales[1])
    where = ((1, 1), (0, 0), (1, 1), 1, None, 0, None)
    for name in ("qconv_pointwise", "qconv2d_pointwise"):
        assert ask(f"onednn::{name}", *head, S(6), *where, "none", (), None, out=result) == conv
    tail = (None, 0, "sum", None, "none", (), None)
    added = ask("onednn::qconv2d_pointwise.binary", *head, result, S(6), *where, *tail, out=result)
    assert added == conv + Cost(arithmetic=result.numel)

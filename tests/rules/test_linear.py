"""Linear layers, whole, packed and backward."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, loops, total, whole

R = torch.randn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(5,), (2, 5), (2, 3, 5), (0, 5)])
def test_linear_is_the_same_whole_and_in_parts(sizes: Any, bias: bool) -> None:
    layer, x = torch.nn.Linear(5, 7, bias=bias), R(*sizes)
    rows = x.numel() // 5
    out = rows * 7
    expected = Cost(macs=loops(rows, 7, 5), arithmetic=out * bias, activations=out)
    assert whole(layer, x) == expected
    parts = total(
        layer, x
    )  # one vector without a batch runs as an elementwise sum after the product in some versions
    assert (parts.macs, parts.arithmetic, parts.activations) == (
        expected.macs,
        expected.arithmetic,
        expected.activations,
    )


def test_linear_with_a_vector_for_a_weight() -> None:
    assert whole(torch.nn.functional.linear, R(2, 3, 5), R(5)) == Cost(macs=30, activations=6)


def test_prepacked_linear_kernels_agree_with_linear() -> None:
    x, w, b, out = S(2, 3, 8), S(5, 8), S(5), S(2, 3, 5)
    expected = ask("aten::linear", x, w, b, out=out)
    assert expected == Cost(macs=2 * 3 * 8 * 5, arithmetic=30, activations=30)
    assert ask("aten::mkldnn_linear", x, w, b, out=out) == expected
    assert ask("mkl::_mkl_linear", x, w, w, b, 6, out=out) == expected
    assert ask("onednn::linear_dynamic_fp16", x, w, b, out=out) == expected
    assert ask("mkldnn::_linear_pointwise", x, w, b, "none", (), None, out=out) == expected
    relu = Cost(arithmetic=30)
    assert ask("mkldnn::_linear_pointwise", x, w, b, "relu", (), None, out=out) == expected + relu
    assert ask("mkldnn::_linear_pointwise.binary", x, out, w, b, "add", out=out) == expected + Cost(
        arithmetic=30
    )
    assert ask("onednn::linear_relu_dynamic_fp16", x, w, b, out=out) == expected + relu


def test_backward_of_linear() -> None:
    x, w, grad = S(6, 8), S(5, 8), S(6, 5)
    assert ask("aten::mkldnn_linear_backward", x, grad, w, (True, True, True)) == Cost(
        macs=2 * 6 * 8 * 5, arithmetic=30
    )
    assert ask("aten::mkldnn_linear_backward", x, grad, w, (False, True, False)) == Cost(
        macs=6 * 8 * 5
    )
    assert ask("aten::mkldnn_linear_backward_input", (6, 8), grad, w) == Cost(macs=240)
    assert ask("aten::mkldnn_linear_backward_weights", grad, x, w, True) == Cost(
        macs=240, arithmetic=30
    )
    assert (
        ask("aten::matmul_backward", S(2, 6, 5), S(2, 6, 8), S(2, 8, 5), (True, True)).macs
        == 2 * 2 * 240
    )

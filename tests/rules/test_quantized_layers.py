"""Quantized linear layers and convolutions cost what their float twins do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask, names, only, total, watch, whole

pytestmark = pytest.mark.usefixtures("quantized_engine")

R = torch.randn


def quantize(x: torch.Tensor, dtype: torch.dtype = torch.quint8) -> torch.Tensor:
    return torch.quantize_per_tensor(x, 0.1, 0, dtype)


def linear_packed(bias: bool) -> Any:
    return torch.ops.quantized.linear_prepack(
        quantize(R(5, 8), torch.qint8), R(5) if bias else None
    )


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias: bool) -> None:
    x, packed = R(2, 3, 8), linear_packed(bias)
    expected = whole(F.linear, x, R(5, 8), R(5) if bias else None)
    relu = Cost(arithmetic=30)
    ops = torch.ops.quantized
    assert only(ops.linear_dynamic, x, packed, name="quantized::linear_dynamic") == expected
    assert (
        only(ops.linear_relu_dynamic, x, packed, name="quantized::linear_relu_dynamic")
        == expected + relu
    )
    assert only(ops.linear, quantize(x), packed, 0.1, 0, name="quantized::linear") == expected
    assert (
        only(ops.linear_relu, quantize(x), packed, 0.1, 0, name="quantized::linear_relu")
        == expected + relu
    )


def test_linear_needs_no_weight() -> None:
    assert ask("quantized::linear", S(2, 8, dtype="quint8"), None, None, 0, out=S(2, 5)) == Cost(
        macs=80, activations=10
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution(dims: int, groups: int) -> None:
    x, w, b = R(2, 4, *[6] * dims), R(6, 4 // groups, *[3] * dims), R(6)
    expected = whole([F.conv1d, F.conv2d, F.conv3d][dims - 1], x, w, b, 1, 0, 1, groups)
    prepack = getattr(torch.ops.quantized, f"conv{dims}d_prepack")
    packed = prepack(quantize(w, torch.qint8), b, [1] * dims, [0] * dims, [1] * dims, groups)
    for suffix, after in (("", Cost()), ("_relu", Cost(arithmetic=expected.activations))):
        run = getattr(torch.ops.quantized, f"conv{dims}d{suffix}")
        assert (
            only(run, quantize(x), packed, 0.1, 0, name=f"quantized::conv{dims}d{suffix}")
            == expected + after
        )


def test_dynamic_and_accumulating_convolutions() -> None:
    x, out = S(2, 4, 6, 6), S(2, 6, 4, 4)
    packed = (S(6, 4, 3, 3, dtype="qint8"), S(6))
    plain = ask("quantized::conv2d.new", x, packed, None, 0, out=out)
    assert plain == ask("aten::conv2d", x, S(6, 4, 3, 3), S(6), out=out)
    assert ask("quantized::conv2d_dynamic", x, packed, out=out) == plain
    assert ask("_quantized::conv2d", x, packed, None, 0, out=out) == plain
    added = plain + Cost(arithmetic=out.numel)
    assert ask("quantized::conv2d_add", x, out, packed, None, 0, out=out) == added
    assert ask("quantized::conv2d_add_relu", x, out, packed, None, 0, out=out) == added + Cost(
        arithmetic=out.numel
    )
    assert ask("mkldnn_prepacked::conv2d_run", x, packed, out=out) == plain


@pytest.mark.parametrize("dims", [1, 2])
def test_transposed_convolution(dims: int) -> None:
    x, w, b = R(2, 4, *[6] * dims), R(4, 5, *[3] * dims), R(5)
    expected = whole([F.conv_transpose1d, F.conv_transpose2d][dims - 1], x, w, b)
    prepack = getattr(torch.ops.quantized, f"conv_transpose{dims}d_prepack")
    packed = prepack(quantize(w, torch.qint8), b, [1] * dims, [0] * dims, [0] * dims, [1] * dims, 1)
    run = getattr(torch.ops.quantized, f"conv_transpose{dims}d")
    assert (
        only(run, quantize(x), packed, 0.1, 0, name=f"quantized::conv_transpose{dims}d") == expected
    )


def test_an_unreadable_convolution_fails_with_a_reason() -> None:
    with pytest.raises(ValueError, match="packed weight"):
        ask("quantized::conv2d.new", S(2, 4, 6, 6), None, None, 0, out=S(2, 6, 4, 4))


def test_legacy_linear_kernels() -> None:
    x, b, out = S(2, 3, 8), S(5), S(2, 3, 5)
    expected = ask("aten::linear", x, S(5, 8), b, out=out)
    assert ask("aten::fbgemm_linear_fp16_weight", x, None, b, out=out) == expected
    assert (
        ask("aten::fbgemm_linear_int8_weight", x, S(5, 8), None, None, None, None, b, out=out)
        == expected
    )
    assert (
        ask("aten::_wrapped_quantized_linear_prepacked", x, S(), S(), None, S(), S(), 5, out=out)
        == expected
    )
    assert (
        ask("_quantized::wrapped_fbgemm_linear_fp16_weight", x, S(5, 8), b, 5, out=out) == expected
    )


def test_a_model_quantized_dynamically() -> None:
    model = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(torch.nn.Linear(8, 16)), {torch.nn.Linear}, dtype=torch.qint8
    )
    calls = watch(model, R(4, 8))
    assert "quantized::linear_dynamic" in names(calls)
    assert total(model, R(4, 8)).macs == 512


def test_kernels_that_quantize_their_input_themselves() -> None:
    x, b, out = S(2, 3, 8), S(5), S(2, 3, 5)
    expected = ask("aten::linear", x, S(5, 8), b, out=out)
    packed = (S(5, 8, dtype="qint8"), b)
    name = "quantized::linear_with_input_q_dq_qweight_dq"
    assert ask(f"{name}_output_fp32", x, S(1), S(1), packed, out=out) == expected
    relu = ask(f"{name}_relu_output_fp32", x, S(1), S(1), packed, out=out)
    assert relu == expected + Cost(arithmetic=30)
    for private in ("_quantized::linear", "_quantized::linear_dynamic"):
        assert ask(private, x, packed, out=out) == expected
    wrapped = "_quantized::wrapped_quantized_linear"
    assert ask(wrapped, x, S(1), S(1), S(5, 8), S(1), S(1), b, out=out) == expected


def test_a_weight_that_is_given_as_it_is() -> None:
    """Some kernels take a quantized weight that nothing packed."""
    x, w, out = S(2, 4, 6, 6), S(6, 4, 3, 3, dtype="qint8"), S(2, 6, 4, 4)
    found = ask("quantized::conv2d.new", x, w, None, 0, out=out)
    assert found == ask("aten::conv2d", x, S(6, 4, 3, 3), None, out=out)

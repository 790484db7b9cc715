"""How wide the factors of a MAC are: by dtype, by operator, and in whole blocks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.costing.apply import cost_of
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.widths import alike, bits
from tests.rules.util import S

pytestmark = pytest.mark.torch_alone

DTYPES = {
    str(value).removeprefix("torch."): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_the_name_of_a_dtype_says_its_width(name: str) -> None:
    """torch's own tables say the same of every dtype that they have."""
    dtype = DTYPES[name]
    if dtype is torch.bool:
        expected = 1
    elif dtype.is_complex:
        expected = 8 * dtype.itemsize // 2
    elif dtype.is_floating_point and "x2" not in name:
        expected = torch.finfo(dtype).bits
    elif name in ("float4_e2m1fn_x2", "quint4x2"):
        expected = 4  # two in a byte
    elif name in ("quint2x4", "bits2x4"):
        expected = 2
    elif name == "bits1x8":
        expected = 1
    elif name == "bits4x2":
        expected = 4
    elif name.startswith(("int", "uint")) and dtype.itemsize == 1 and name not in ("int8", "uint8"):
        expected = int(name.lstrip("uint"))  # int1 … uint7, which torch keeps in bytes
    else:
        expected = 8 * dtype.itemsize
    assert bits(name) == expected


def test_a_name_without_digits_has_no_width() -> None:
    assert bits("half") is None


def test_floating_operands_are_the_factors_if_they_are_alike() -> None:
    half = S(2, 3, dtype="float16")
    assert alike(half, half, S(2, dtype="int64"), S(2, dtype="bool")) == (16, 16)
    assert alike([half, half], mask=None) == (16, 16)
    assert alike(S(2, dtype="int8"), S(3, dtype="int8")) == (8, 8)
    assert alike(half, S(2)) is None  # which of them is a factor?
    assert alike(S(2, dtype="int8"), S(2, dtype="int64")) is None
    assert alike() is None


def each(name: str, *args: Any, out: Shape, **kwargs: Any) -> tuple[int, int, int]:
    """MACs, bops for each of them, and those whose width is known."""
    packet, _, overload = name.partition(".")
    cost = cost_of(RULES.get(packet, overload), args, kwargs, out).cost
    assert cost.bops is not None
    assert cost.bops % cost.macs == 0
    return cost.macs, cost.bops // cost.macs, cost.sized_macs


ROWS, IN, OUT = 4, 64, 32
X16, X32, X8 = (S(ROWS, IN, dtype=d) for d in ("bfloat16", "float32", "quint8"))
Q8 = (S(OUT, IN, dtype="qint8"), S(OUT))
"""A packed linear layer: weight and bias."""
SCALE, ONE = S(OUT, dtype="bfloat16"), S()
HALF = S(OUT, IN // 2, dtype="float16")
META = S(OUT, IN // 16, dtype="int16")
FP8 = (S(ROWS, IN, dtype="float8_e4m3fn"), S(IN, OUT, dtype="float8_e5m2"))
FP4 = (S(ROWS, IN // 2, dtype="float4_e2m1fn_x2"), S(IN // 2, OUT, dtype="float4_e2m1fn_x2"))
INT8 = (S(ROWS, IN, dtype="int8"), S(IN, OUT, dtype="int8"))

LINEAR = {
    # Weights alone are packed.
    ("aten::_weight_int4pack_mm", X16, S(4, 1, 32, 4, dtype="int32"), 32, S(2, OUT, 2)): 16 * 4,
    ("aten::_weight_int4pack_mm_for_cpu", X32, S(OUT, IN // 2, dtype="uint8"), 32, S(2, OUT, 2)): 32 * 4,
    ("aten::_weight_int4pack_mm_with_scales_and_zeros", X16, S(OUT, 8, dtype="int32"), 32, ONE, ONE): 16 * 4,
    ("quantized::int4mm_packed_weight_cpu", X16, S(OUT, 32, dtype="uint8"), 32, ONE): 16 * 4,
    ("aten::_weight_int8pack_mm", X16, S(OUT, IN, dtype="int8"), SCALE): 16 * 8,
    ("aten::_mixed_dtypes_linear", X16, S(IN, OUT, dtype="int8"), SCALE): 16 * 8,
    ("aten::_mixed_dtypes_linear", X16, S(IN, OUT // 2, dtype="uint8"), SCALE): 16 * 4,
    # The kernel rounds its input too.
    ("aten::_dyn_quant_matmul_4bit", X32, S(1056, dtype="uint8"), 32, IN, OUT): 8 * 4,
    ("quantized::linear_dynamic", X32, Q8, False): 8 * 8,
    ("quantized::linear", X8, Q8, 1.0, 0): 8 * 8,
    ("quantized::linear_relu_dynamic_fp16", X32, (S(OUT, IN), None)): 32 * 16,
    ("aten::fbgemm_linear_fp16_weight", X32, None, S(OUT)): 32 * 16,
    # Scales are no factors.
    ("aten::_scaled_mm", *FP8, ONE, ONE): 8 * 8,
    ("aten::_int_mm", *INT8): 8 * 8,
    # Half of four elements are stored, beside the places of those.
    ("aten::_sparse_semi_structured_linear", S(ROWS, IN, dtype="float16"), HALF, META): 16 * 16,
    ("aten::linear", X16, S(OUT, IN, dtype="bfloat16"), S(OUT)): 16 * 16,
    ("aten::addmm", S(OUT), X16, S(IN, OUT, dtype="bfloat16")): 16 * 16,
}  # fmt: skip


@pytest.mark.parametrize("call", LINEAR, ids=lambda call: call[0])
def test_linear_layers(call: tuple[Any, ...]) -> None:
    name, *args = call
    macs, wide, sized = each(name, *args, out=S(ROWS, OUT, dtype="bfloat16"))
    halves = 2 if "semi" in name else 1
    assert macs == sized == ROWS * IN * OUT // halves
    assert wide == LINEAR[call]


def test_pairs_of_4_bits_share_an_element() -> None:
    macs, wide, _ = each("aten::_scaled_mm", *FP4, ONE, ONE, out=S(ROWS, OUT, dtype="bfloat16"))
    assert (macs, wide) == (ROWS * IN * OUT, 4 * 4)


def test_attention_is_as_wide_as_its_query() -> None:
    q = S(1, 2, 8, 16, dtype="bfloat16")
    mask, lse = S(8, 8), S(1, 2, 8)
    flash = "aten::_scaled_dot_product_flash_attention_for_cpu"
    assert each(flash, q, q, q, 0.0, False, attn_mask=mask, out=q)[1] == 16 * 16
    assert each(f"{flash}_backward", q, q, q, q, q, lse, 0.0, False, out=q)[1] == 16 * 16
    fp8 = S(1, 2, 8, 16, dtype="float8_e4m3fn")
    quantized = "aten::_scaled_dot_product_flash_attention.quantized"
    assert each(quantized, fp8, fp8, fp8, ONE, ONE, ONE, out=q)[1] == 8 * 8


def test_quantized_convolutions() -> None:
    weight = (S(4, 3, 3, 3, dtype="qint8"), S(4))
    x, out = S(1, 3, 8, 8, dtype="quint8"), S(1, 4, 6, 6, dtype="quint8")
    assert each("quantized::conv2d", x, weight, 1.0, 0, out=out)[1] == 8 * 8
    assert each("quantized::conv2d_dynamic", S(1, 3, 8, 8), weight, out=out)[1] == 8 * 8
    assert each("quantized::conv2d_add_relu", x, out, weight, 1.0, 0, out=out)[1] == 8 * 8


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.LSTMCell, nn.Linear])
@pytest.mark.parametrize(("dtype", "wide"), [(torch.qint8, 8 * 8), (torch.float16, 32 * 16)])
def test_dynamic_quantized_layers(layer: Any, dtype: torch.dtype, wide: int) -> None:
    model = nn.Sequential(layer(8, 8))
    model = torch.ao.quantization.quantize_dynamic(model, {layer}, dtype=dtype)
    with dc.profile(model) as prof:
        model(torch.randn(3, 8) if layer in (nn.Linear, nn.LSTMCell) else torch.randn(1, 3, 8))
    assert prof.report.macs > 0
    assert prof.report.bops == wide * prof.report.macs
    assert prof.report.sized_macs == prof.report.macs


def test_a_block_adds_up_both_phases_and_dtypes() -> None:
    net = nn.Linear(8, 4)
    x = torch.randn(3, 8)
    with dc.profile(net) as prof:
        net(x).sum().backward()
        net.to(torch.bfloat16)(x.to(torch.bfloat16))
    macs = 3 * 8 * 4
    # A forward and the gradient of the weight in 32 bits, a forward in 16.
    assert prof.report.bops == 2 * macs * 32 * 32 + macs * 16 * 16
    assert prof.report.by_phase()["backward"].bops == macs * 32 * 32
    assert prof.report.by_dtype()["bfloat16"].bops == macs * 16 * 16
    assert dc.Report.from_json(prof.report.to_json()) == prof.report


def test_a_complex_mac_is_four_of_its_real_parts() -> None:
    x = torch.randn(3, 5, dtype=torch.complex64)
    with dc.profile() as prof:
        x @ x.T
    assert prof.report.bops == 4 * 3 * 5 * 3 * 32 * 32


def test_what_is_not_known_is_told() -> None:
    x = torch.randn(4, 4)
    with dc.profile() as prof:
        with dc.kernel("mine", cost=100):
            pass
        x @ x
    report = prof.report
    assert report.macs == 100 + 64
    assert report.sized_macs == 64
    assert report.bops == 64 * 32 * 32
    shown = str(report.table(columns=["bops", "sized_macs"], exact=True))
    assert f"≥{64 * 32 * 32:,}" in shown


def test_a_rule_can_say_it() -> None:
    def rule(a: Shape, b: Shape) -> dc.Cost:
        return dc.Cost(macs=a.numel, bops=a.numel * 3 * 2)

    with dc.profile(rules={"aten::dot": rule}) as prof:
        torch.dot(torch.ones(7), torch.ones(7))
    assert prof.report.bops == 7 * 3 * 2
    assert prof.report.sized_macs == 7


def test_a_file_from_before_says_that_nothing_is_known() -> None:
    net = nn.Linear(3, 4)
    with dc.profile(net) as prof:
        net(torch.ones(2, 3))
    text = prof.report.to_json().decode()
    for key in ("bops", "sized_macs"):
        assert f'"{key}":' in text
        text = text.replace(f'"{key}":', f'"other_{key}":')
    old = dc.Report.from_json(text.encode())
    assert (old.macs, old.bops, old.sized_macs) == (24, 0, 0)
    assert "≥0" in str(old.table(columns=["bops"]))

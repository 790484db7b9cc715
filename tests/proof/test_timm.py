"""Rows of timm's published table, one of each of many families; `benchmarks/timm_table.py` runs all 814."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import dispatchcount as dc


def load() -> Any:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "timm_table.py"
    spec = importlib.util.spec_from_file_location("timm_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _fused() -> Iterator[None]:
    """timm's setting is global: put it back."""
    yield
    timm.layers.set_fused_attn(True)


table = load()
ROWS = {row.model: row for row in table.published()}


@pytest.mark.proof(every=4)
@pytest.mark.parametrize(
    "name",
    [
        "beitv2_base_patch16_224",
        "botnet26t_256",
        "coat_lite_mini",
        "coatnet_nano_rw_224",
        "convit_tiny",
        "convnextv2_atto",
        "cs3darknet_m",
        "deit_tiny_patch16_224",
        "eca_halonext26ts",
        "efficientnet_es",
        "fasternet_t2",
        "hiera_small_224",
        "lambda_resnet26t",
        "levit_conv_128",  # this one and the next three merge their branches
        "repvit_m0_9",
        "shvit_s2",
        "tiny_vit_11m_224",
        "mixer_b32_224",
        "mobilevit_xxs",
        "nest_tiny",
        "nf_resnet26",
        "res2net50_48w_2s",
        "samvit_base_patch16",
        "vgg16",
    ],
)
def test_the_published_figures(name: str) -> None:
    result = table.measure(ROWS[name])
    assert result.agrees(), result


def test_what_the_publishers_leave_out_of_convmixer() -> None:
    row = ROWS["convmixer_1536_20"]
    model = table.build(row.model, row.size)
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.empty(1, 3, row.size, row.size, device="meta"))
    outputs = 20 * 1536 * 32 * 32  # of the depthwise convolutions with padding="same"
    assert (prof.report.flops - outputs * 9 * 9) / 1e9 == pytest.approx(
        row.published.macs, abs=0.005
    )
    assert (prof.report.activations - outputs) / 1e6 == pytest.approx(
        row.published.activations, abs=0.005
    )


def test_what_newer_code_leaves_out_of_a_mixed_rotary_embedding() -> None:
    row = ROWS["vit_small_patch16_rope_mixed_224"]
    model = table.build(row.model, row.size)
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.empty(1, 3, row.size, row.size, device="meta"))
    angles = 2 * 12 * (14 * 14) * 384 // 2  # two axes, 12 blocks, 196 tokens, half the width
    assert (prof.report.activations + angles) / 1e6 == pytest.approx(
        row.published.activations, abs=0.005
    )

"""Published and hand-made figures, each with its arithmetic."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.regnet import BlockParams

import dispatchcount as dc
from dispatchcount.report_api import Report

IMAGE = (1, 3, 224, 224)


def run(
    model: nn.Module,
    *inputs: torch.Tensor,
    regime: Callable[[], AbstractContextManager[Any]] = torch.no_grad,
) -> Report:
    """The report of one forward, checked."""
    with regime(), dc.profile(model) as prof:
        model(*inputs)
    report = prof.report
    report.self_check()
    assert not report.unknown_ops
    assert not report.failed_ops
    return report


def in_convention(report: Report, name: str) -> int:
    return report.with_convention(name).flops


def test_resnet50_in_eval() -> None:
    report = run(models.resnet50().eval(), torch.rand(IMAGE))
    macs = 4_089_184_256  # torchvision publishes 4.089 GFLOPS
    # Elements that pass through batch norm, stage by stage: the stem, then per block two narrow maps and a wide one; the first
    # block of a stage makes its first map at the resolution before it and adds a shortcut. Outputs of the 53 convolutions.
    stem = 64 * 112 * 112
    normalized = stem + sum(
        blocks * (2 * width + 4 * width) * side**2
        + 4 * width * side**2
        + (width * ((side * 2) ** 2 - side**2) if stage else 0)
        for stage, (blocks, width, side) in enumerate(
            [(3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7)]
        )
    )
    pooled = 2048 * 7 * 7  # adaptive average pooling reads each element once
    assert report.activations == normalized + 1000 == 11_114_984
    assert (
        report.flops == macs + 2 * normalized + pooled == 4_111_512_576
    )  # fvcore: 2 a normalized element in eval
    assert in_convention(report, "macs") == report.macs == macs
    assert in_convention(report, "torch") == 2 * macs == 8_178_368_512
    assert in_convention(report, "full") > 2 * macs
    assert report.params == 25_557_032


def test_resnet50_in_training() -> None:
    eval_flops, normalized = 4_111_512_576, 11_113_984
    report = run(models.resnet50().train(), torch.rand(IMAGE))
    assert (
        report.flops == eval_flops + 3 * normalized == 4_144_854_528
    )  # fvcore: 5 a normalized element in training, not 2
    assert report.macs == 4_089_184_256
    assert report.activations == normalized + 1000


VIT_MACS = (
    768 * 14 * 14 * (3 * 16 * 16)  # patches
    + 12
    * (
        197 * 768 * (3 * 768 + 768) + 2 * 12 * 197 * 197 * 64 + 2 * 197 * 768 * 3072
    )  # projections, attention, feed-forward
    + 768 * 1000  # head
)


@pytest.mark.parametrize("regime", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_vit_b_16_in_every_regime(
    regime: Callable[[], AbstractContextManager[Any]], device: str
) -> None:
    model = models.vit_b_16().eval().to(device)
    report = run(model, torch.rand(IMAGE, device=device), regime=regime)
    assert report.macs == VIT_MACS == 17_563_828_224
    assert report.params == 86_567_656


def test_r3d_18() -> None:
    with torch.device("meta"):
        model, clip = models.video.r3d_18().eval(), torch.rand(1, 3, 16, 112, 112)
    maps = [(64, 16 * 56 * 56), (128, 8 * 28 * 28), (256, 4 * 14 * 14), (512, 2 * 7 * 7)]
    stem = 64 * 16 * 56 * 56 * (3 * 3 * 7 * 7)
    first = 4 * 64 * maps[0][1] * (64 * 27)
    others = sum(
        wide * places * (27 * wide * 3 + 27 * wide // 2 + wide // 2) for wide, places in maps[1:]
    )
    assert run(model, clip).macs == stem + first + others + 512 * 400 == 40_696_553_472


def test_one_convolution() -> None:
    report = run(nn.Conv2d(3, 10, 3), torch.rand(1, 3, 10, 10))
    assert report.flops == 10 * 8 * 8 * (3 * 3 * 3) == 17_280
    assert report.activations == 10 * 8 * 8 == 640
    assert report.params == 10 * 3 * 3 * 3 + 10 == 280


@pytest.mark.parametrize("regime", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_recurrent_layers(regime: Callable[[], AbstractContextManager[Any]]) -> None:
    lstm = run(nn.LSTM(10, 20), torch.rand(5, 3, 10), regime=regime)
    assert lstm.macs == 5 * 3 * 4 * 20 * (10 + 20) == 36_000
    gru = run(nn.GRU(128, 128), torch.rand(10, 32, 128), regime=regime)
    assert gru.macs == 10 * 32 * 3 * 128 * (128 + 128) == 31_457_280


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("regime", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_encoder_layer_fast_path_and_slow(
    training: bool, regime: Callable[[], AbstractContextManager[Any]]
) -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).train(training)
    report = run(layer, torch.rand(2, 10, 32), regime=regime)
    assert report.macs == 2 * 10 * (4 * 32 * 32 + 2 * 32 * 64) + 2 * 2 * 10 * 10 * 32 == 176_640


def published() -> dict[str, Any]:
    """The default weights of every torchvision model with a published count and a crop size."""
    weights = {name: models.get_model_weights(name).DEFAULT for name in models.list_models()}
    return {
        name: w
        for name, w in weights.items()
        if "_ops" in w.meta and hasattr(w.transforms(), "crop_size")
    }


PUBLISHED = published()
QUANTIZED = {name for name in PUBLISHED if name.startswith("quantized_")}


def example(weights: Any, **kwargs: Any) -> torch.Tensor:
    crop = weights.transforms().crop_size
    frames = [16] if "min_temporal_size" in weights.meta or len(crop) == 2 else []
    return torch.rand(1, 3, *frames, crop[0], crop[-1], **kwargs)


def options(name: str, weights: Any) -> dict[str, Any]:
    """What the published model was built with: its image size, no training heads, no slow initial values."""
    if "vit_" in name and "maxvit" not in name and "mvit" not in name:
        return {"image_size": weights.transforms().crop_size[0]}
    if "googlenet" in name:
        return {"init_weights": False, "aux_logits": False}
    return {"init_weights": False} if "inception" in name else {}


@pytest.fixture
def regnet_on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its builder reads widths out of tensors, which needs the CPU."""
    build = BlockParams.from_init_params

    def on_cpu(*args: Any, **kwargs: Any) -> BlockParams:
        with torch.device("cpu"):
            return build(*args, **kwargs)

    monkeypatch.setattr(BlockParams, "from_init_params", on_cpu)


@pytest.mark.proof(every=6)
@pytest.mark.parametrize("name", [n for n in PUBLISHED if n not in QUANTIZED])
@pytest.mark.usefixtures("regnet_on_meta")
def test_torchvision_published(name: str) -> None:
    weights = PUBLISHED[name]
    with torch.device("meta"):
        model = models.get_model(name, weights=None, **options(name, weights)).eval()
    report = run(model, example(weights, device="meta"))
    assert round(in_convention(report, "macs") / 1e9, 3) == weights.meta["_ops"]
    assert report.params == weights.meta["num_params"]


@pytest.mark.proof(every=4)
@pytest.mark.parametrize("name", sorted(QUANTIZED))
def test_torchvision_quantized_published(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = PUBLISHED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine, torch.backends.quantized.engine = (
            torch.backends.quantized.engine,
            weights.meta["backend"],
        )
        try:
            model = models.get_model(
                name, weights=None, quantize=True, **options(name, weights)
            ).eval()
            report = run(model, example(weights))
        finally:
            torch.backends.quantized.engine = engine
    assert round(in_convention(report, "macs") / 1e9, 3) == weights.meta["_ops"]
    # Each batch norm's scale and shift were folded into its convolution, which now has a bias: one number a channel less.
    with torch.device("meta"):
        float_model = models.get_model(name, weights=None, quantize=False, **options(name, weights))
    folded = sum(m.num_features for m in float_model.modules() if isinstance(m, nn.BatchNorm2d))
    assert report.params == weights.meta["num_params"] - folded

"""What is printed of well-known models by default: it fits a window and shows what costs most."""

from __future__ import annotations

import pytest
import torch
import torchvision

import dispatchcount as dc


def report_of(name: str) -> dc.Report:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None).eval()
        image = torch.empty(1, 3, 224, 224)
    with torch.no_grad(), dc.profile(model) as prof:
        model(image)
    return prof.report


@pytest.mark.parametrize("name", ["resnet50", "vit_b_16", "densenet121", "vgg16", "swin_t"])
def test_a_report_fits_a_window(name: str) -> None:
    report = report_of(name)
    assert len(str(report).split("\n")) <= 40
    assert len(str(report.table()).split("\n")) <= 40


def test_a_vision_transformer_shows_its_attention_and_mlp() -> None:
    lines = str(report_of("vit_b_16")).split("\n")
    rows = {line.split()[0]: line for line in lines if line.startswith("        ")}
    # 12 blocks of 197 tokens of 768: projections and scores, and two products of 768 · 3072
    attention = 12 * (4 * 197 * 768**2 + 2 * 197**2 * 768)
    mlp = 12 * 2 * 197 * 768 * 3072
    total = report_of("vit_b_16").flops
    assert f"{100 * attention / total:.1f} %" in rows["self_attention"]
    assert f"{100 * mlp / total:.1f} %" in rows["mlp"]


def test_parameters_shapes_and_samples_of_a_convolution() -> None:
    model = torchvision.models.resnet18(weights=None).eval()
    model.conv1.weight.requires_grad_(False)
    with torch.no_grad(), dc.profile(model) as prof:
        model(torch.zeros(2, 3, 64, 64))
    report = prof.report
    # 64 kernels of 3 · 7 · 7
    assert report.params - report.trainable == 64 * 3 * 7 * 7
    assert report.param_bytes == 4 * report.params
    columns = ("input", "output", "trainable", "flops_per_sample")
    text = str(report.table(depth=1, columns=columns, exact=True))
    row = next(line for line in text.split("\n") if line.strip().startswith("conv1"))
    # 32 · 32 outputs of 64 kernels
    assert "(2, 3, 64, 64)" in row
    assert "(2, 64, 32, 32)" in row
    assert row.split()[-1] == f"{32 * 32 * 64 * 3 * 7 * 7:,}"

"""Rows of open_clip's published profile; `benchmarks/open_clip_table.py` runs all 43."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import dispatchcount as dc


def load() -> Any:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "open_clip_table.py"
    spec = importlib.util.spec_from_file_location("open_clip_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


table = load()
ROWS = {row.model: row for row in table.published()}


@pytest.mark.proof(every=3)
@pytest.mark.parametrize(
    "name",
    [
        "EVA02-B-16",  # rotary embeddings and gated layers, from timm
        "RN50",  # attention pooling
        "ViT-B-16-SigLIP-256",  # no causal mask, pooling by attention
        "ViT-S-32-alt",
        "nllb-clip-base",  # a text tower of transformers that looks at values
    ],
)
def test_the_published_figures(name: str) -> None:
    result = table.measure(ROWS[name])
    assert not result.differing(), result
    assert result.flops == result.counter


def test_the_published_figure_of_coca_is_of_all_tokens() -> None:
    row = ROWS["coca_roberta-ViT-B-32"]
    result = table.measure(row)
    assert result.differing() == ["gflops"]
    assert result.flops == result.counter

    model = table.build(row.model)
    with table.shapes_only():
        image, text = table.inputs(model)[""]
        with dc.profile(model, convention="torch") as prof:
            model(image, text, output_labels=False)
    assert round(prof.report.flops / 1e9, 2) == row.published["gflops"]
    # The 76th token: 12 blocks of self-attention (4 projections) and of cross-attention (2, as keys
    # and values are the image's), each with a perceptron of 2·4 widths; then the words to choose from.
    projections = 12 * (4 + 2 + 2 * 8) * 768**2 + 768 * 49408
    # Both products of self-attention grow with the square of the tokens; 49 patches are looked at.
    attention = 12 * 2 * 768 * (76**2 - 75**2 + 49)
    assert prof.report.flops - result.flops[""] == 2 * (projections + attention)

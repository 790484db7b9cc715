"""A transformers architecture of each sort at full size; `benchmarks/transformers_sweep.py` runs all there are."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

pytestmark = pytest.mark.usefixtures("quiet")

KINDS = {
    "llama": "grouped queries, rotary angles",
    "gpt2": "one projection for query, key and value",
    "bloom": "attention biased by distance",
    "gemma3_text": "sliding windows between full attention",
    "deepseek_v3": "low-rank queries and keys; routed and shared experts",
    "qwen3_moe": "routed experts",
    "qwen3_next": "gated delta rule, experts",
    "minimax": "lightning attention",
    "kimi_linear": "linear attention by chunks",
    "mamba": "selective scan",
    "mamba2": "scan by chunks",
    "jamba": "scan, attention and experts",
    "nemotron_h": "scan, attention and feed-forward layers apart",
    "recurrent_gemma": "gated linear recurrence",
    "rwkv": "a recurrence in place of attention",
    "xlstm": "matrix memory",
    "lfm2": "short convolutions",
    "deberta-v2": "attention by relative position",
    "fnet": "Fourier transforms",
    "mra": "attention by blocks",
    "t5": "encoder and decoder",
    "whisper": "spectrogram, encoder and decoder",
    "wav2vec2": "convolutions over samples",
    "univnet": "convolutions with kernels made on the way",
    "clip": "two towers",
    "sam": "windows, decomposed positions",
    "swinv2": "shifted windows",
    "focalnet": "gated convolutions",
    "convnext": "depthwise convolutions",
    "pvt": "keys and values shrunk by convolutions",
    "timesformer": "space and time apart",
    "rt_detr": "deformable attention",
    "patchtst": "patches of a time series",
}


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The benchmark as a module; it imports its neighbours by name."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    yield importlib.import_module("transformers_sweep")
    transformers.logging.set_verbosity(level)


@pytest.mark.proof(every=4)
@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_is_counted_at_full_size(kind: str, sweep: Any) -> None:
    row = sweep.measure(kind)
    assert "error" not in row, row["error"]
    assert (row["unknown"], row["failed"]) == ({}, {})
    assert row["macs"] > 0
    assert row["params"] > 0

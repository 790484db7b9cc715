"""The largest published models, on the meta device, against their sizes on paper."""

from __future__ import annotations

from typing import Any

import torch

import dispatchcount as dc


def language_model(config: Any, tokens: int) -> dc.Report:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.zeros(1, tokens, dtype=torch.long, device="meta"), use_cache=True)
    assert not prof.report.unknown_ops
    assert not prof.report.failed_ops
    return prof.report


def test_llama_405b() -> None:
    from transformers import LlamaConfig

    T, W, F, L, H, KV, V = 8, 16384, 53248, 126, 128, 8, 128256
    D = W // H
    sizes = {
        "hidden_size": W,
        "intermediate_size": F,
        "num_hidden_layers": L,
        "num_attention_heads": H,
        "num_key_value_heads": KV,
    }
    report = language_model(LlamaConfig(**sizes, vocab_size=V), T)
    layer = (
        T * (2 * W * W + 2 * W * KV * D + 3 * W * F) + 2 * T * T * W
    )  # q, out; k, v; MLP; scores and mixing
    assert report.macs == L * layer + T * W * V
    assert (
        report.params
        == L * (2 * W * W + 2 * W * KV * D + 3 * W * F + 2 * W) + 2 * W * V + W
        == 405_853_388_800
    )


def test_a_mixture_of_671b_parameters() -> None:
    from transformers import DeepseekV3Config

    T, W, H, V, dense, mixed = 8, 7168, 128, 129280, 3, 58
    config = DeepseekV3Config()
    config._experts_implementation = "grouped_mm"  # the one whose routing asks for no values
    report = language_model(config, T)
    queries = W * 1536 + 1536 * H * (
        128 + 64
    )  # down; up to each head's 128 and 64 for the position
    keys = W * (512 + 64) + 512 * H * (
        128 + 128
    )  # down, with one position for all heads; up to keys and values
    attention = T * (queries + keys + H * 128 * W) + T * T * H * (192 + 128)
    experts = T * (
        W * 256 + (8 + 1) * 3 * W * 2048
    )  # the router; 8 of 256, and the one that all tokens take
    assert (
        report.macs
        == (dense + mixed) * attention + dense * T * 3 * W * 18432 + mixed * experts + T * W * V
    )
    assert report.params == 671_026_404_352

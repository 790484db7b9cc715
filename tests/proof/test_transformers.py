"""Families of language, speech and vision models against the closed form of their layers' MACs, written beside each."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

import dispatchcount as dc

T = 24  # tokens


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(level)


def run(kind: str, config: Any, dtype: torch.dtype = torch.float32, **inputs: Tensor) -> dc.Report:
    """The checked report of one forward on the meta device."""
    with torch.device("meta"):
        model: nn.Module = getattr(transformers, kind)(config).to(dtype).eval()
    with dc.profile(model, strict=True) as prof, torch.no_grad():
        model(**inputs)
    report = prof.report
    report.self_check()
    assert not report.unknown_ops
    assert not report.failed_ops
    return report


def ids(tokens: int = T) -> Tensor:
    return torch.zeros(1, tokens, dtype=torch.long, device="meta")


def macs(report: dc.Report, *ends: str) -> int:
    """MACs of all modules whose names end so."""
    return sum(stats.macs for name, stats in report.by_module().items() if name.endswith(ends))


def sizes(W: int, F: int, L: int, H: int, KV: int, V: int = 99) -> dict[str, int]:
    """Width, hidden width, layers, heads, heads of keys and values, and vocabulary, as most configurations call them."""
    return {
        "hidden_size": W,
        "intermediate_size": F,
        "num_hidden_layers": L,
        "num_attention_heads": H,
        "num_key_value_heads": KV,
        "vocab_size": V,
    }


def grouped(W: int, H: int, KV: int, D: int, tokens: int = T) -> int:
    """Attention with H heads of D and KV heads for keys and values: query, key, value, output; scores and mixing."""
    return tokens * W * D * (H + KV + KV + H) + 2 * tokens * tokens * H * D


def test_llama() -> None:
    W, F, L, H, KV, V = 64, 176, 2, 4, 2, 99
    config = transformers.LlamaConfig(**sizes(W, F, L, H, KV, V))
    report = run("LlamaForCausalLM", config, input_ids=ids())
    assert macs(report, ".self_attn") == L * grouped(W, H, KV, W // H)
    assert macs(report, ".mlp") == L * 3 * T * W * F
    assert report.macs == macs(report, ".self_attn", ".mlp") + T * W * V


def test_llama_405b_with_8192_tokens() -> None:
    W, F, L, H, KV, V, tokens = 16384, 53248, 126, 128, 8, 128256, 8192
    config = transformers.LlamaConfig(**sizes(W, F, L, H, KV, V))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = run("LlamaForCausalLM", config, torch.bfloat16, input_ids=ids(tokens))
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2e6
    )  # kB: nothing of its 810 GB is allocated
    attention = tokens * (2 * W * W + 2 * W * KV * 128) + 2 * tokens * tokens * W
    assert macs(report, ".self_attn") == L * attention
    assert macs(report, ".mlp") == L * tokens * 3 * W * F
    assert report.macs == L * (attention + tokens * 3 * W * F) + tokens * W * V
    assert (
        report.params
        == L * (2 * W * W + 2 * W * KV * 128 + 3 * W * F + 2 * W) + 2 * W * V + W
        == 405_853_388_800
    )


def test_mixtral() -> None:
    W, F, L, H, KV, E, K = 64, 112, 2, 4, 2, 8, 2
    config = transformers.MixtralConfig(
        **sizes(W, F, L, H, KV),
        num_local_experts=E,
        num_experts_per_tok=K,
    )
    report = run("MixtralModel", config, torch.bfloat16, input_ids=ids())
    assert macs(report, ".self_attn") == L * grouped(W, H, KV, W // H)
    assert macs(report, ".mlp") == L * T * (
        W * E + K * 3 * W * F
    )  # the router, and two experts a token
    assert report.macs == macs(report, ".self_attn", ".mlp")


def test_deepseek() -> None:
    W, F, M, L, H, E, K = 64, 160, 48, 3, 4, 8, 2
    Q, C, N, R, D = (
        24,
        16,
        16,
        8,
        20,
    )  # ranks of queries and of keys and values; key without and with position; value
    config = transformers.DeepseekV3Config(
        **sizes(W, F, L, H, H),
        moe_intermediate_size=M,
        first_k_dense_replace=1,
        n_routed_experts=E,
        n_shared_experts=1,
        num_experts_per_tok=K,
        n_group=2,
        topk_group=1,
        q_lora_rank=Q,
        kv_lora_rank=C,
        qk_nope_head_dim=N,
        qk_rope_head_dim=R,
        v_head_dim=D,
    )
    report = run("DeepseekV3Model", config, torch.bfloat16, input_ids=ids())
    latent = W * Q + Q * H * (N + R) + W * (C + R) + C * H * (N + D) + H * D * W
    assert macs(report, ".self_attn") == L * (T * latent + T * T * H * (N + R + D))
    dense, mixed = (
        T * 3 * W * F,
        T * (W * E + (K + 1) * 3 * W * M),
    )  # the router; two experts and the shared one
    assert macs(report, ".mlp") == dense + (L - 1) * mixed
    assert report.macs == macs(report, ".self_attn", ".mlp")


def test_qwen() -> None:
    W, F, L, H, KV, D = 64, 144, 2, 4, 2, 32  # heads are wider together than the model
    config = transformers.Qwen3Config(
        **sizes(W, F, L, H, KV),
        head_dim=D,
    )
    report = run("Qwen3Model", config, input_ids=ids())
    assert macs(report, ".self_attn") == L * grouped(W, H, KV, D)
    assert macs(report, ".mlp") == L * 3 * T * W * F
    assert report.macs == macs(report, ".self_attn", ".mlp")


def test_gemma() -> None:
    W, F, L, H, KV, D, V = (
        64,
        144,
        6,
        4,
        1,
        32,
        99,
    )  # five layers of a sliding window, masked, and a full one
    config = transformers.Gemma3TextConfig(
        **sizes(W, F, L, H, KV, V),
        head_dim=D,
        sliding_window=8,
    )
    report = run("Gemma3ForCausalLM", config, input_ids=ids())
    assert macs(report, ".self_attn") == L * grouped(W, H, KV, D)
    assert macs(report, ".mlp") == L * 3 * T * W * F
    assert report.macs == macs(report, ".self_attn", ".mlp") + T * W * V


def test_t5() -> None:
    W, F, L, H, D, S = 64, 128, 2, 4, 20, 7  # S tokens of the decoder
    config = transformers.T5Config(
        d_model=W,
        d_ff=F,
        num_layers=L,
        num_decoder_layers=L,
        num_heads=H,
        d_kv=D,
        vocab_size=99,
        decoder_start_token_id=0,
    )
    report = run("T5Model", config, input_ids=ids(), decoder_input_ids=ids(S))
    own = grouped(W, H, H, D) + grouped(W, H, H, D, S)
    cross = (
        2 * S * W * H * D + 2 * T * W * H * D + 2 * S * T * H * D
    )  # query and output; key and value; scores and mixing
    assert macs(report, ".SelfAttention") == L * own
    assert macs(report, ".EncDecAttention") == L * cross
    assert macs(report, ".DenseReluDense") == L * (T + S) * 2 * W * F
    assert report.macs == L * (own + cross + (T + S) * 2 * W * F)


def test_bert() -> None:
    W, F, L, H = 64, 256, 3, 4
    config = transformers.BertConfig(
        hidden_size=W,
        intermediate_size=F,
        num_hidden_layers=L,
        num_attention_heads=H,
        vocab_size=99,
    )
    report = run("BertModel", config, input_ids=ids())
    assert macs(report, ".attention") == L * grouped(W, H, H, W // H)
    assert macs(report, ".intermediate") == L * T * W * F
    assert (
        report.macs == L * (grouped(W, H, H, W // H) + 2 * T * W * F) + W * W
    )  # the pooler, on the first token


def test_whisper() -> None:
    W, F, L, H, B, S, N = (
        64,
        128,
        2,
        4,
        20,
        7,
        50,
    )  # bands; tokens of the decoder; positions of the encoder
    config = transformers.WhisperConfig(
        d_model=W,
        encoder_layers=L,
        decoder_layers=L,
        encoder_attention_heads=H,
        decoder_attention_heads=H,
        encoder_ffn_dim=F,
        decoder_ffn_dim=F,
        num_mel_bins=B,
        max_source_positions=N,
        max_target_positions=16,
        vocab_size=99,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    sound = torch.empty(1, B, 2 * N, device="meta")
    report = run("WhisperModel", config, input_features=sound, decoder_input_ids=ids(S))
    D = W // H
    cross = 2 * S * W * W + 2 * N * W * W + 2 * S * N * W
    assert macs(report, ".self_attn") == L * (grouped(W, H, H, D, N) + grouped(W, H, H, D, S))
    assert macs(report, ".encoder_attn") == L * cross
    assert macs(report, ".fc1", ".fc2") == L * (N + S) * 2 * W * F
    stem = (
        2 * N * W * B * 3 + N * W * W * 3
    )  # two convolutions of three taps, the second with stride 2
    assert report.macs == stem + macs(report, ".self_attn", ".encoder_attn", ".fc1", ".fc2")


def test_mamba() -> None:
    W, X, N, R, K, L = 32, 64, 8, 4, 4, 2  # inner width, states, rank of the step, taps
    config = transformers.MambaConfig(
        hidden_size=W,
        intermediate_size=X,
        expand=2,
        state_size=N,
        time_step_rank=R,
        conv_kernel=K,
        num_hidden_layers=L,
        vocab_size=99,
    )
    report = run("MambaModel", config, input_ids=ids())
    convolution = (T + K - 1) * X * K  # padded on both sides, and cut afterwards
    scan = T * X * N  # each state read once at each step; its update is element-wise
    mixer = T * W * 2 * X + convolution + T * X * (R + 2 * N) + T * R * X + scan + T * X * W
    assert macs(report, ".mixer") == report.macs == L * mixer


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_vit(attention: str) -> None:
    W, F, L, H, P, side = 64, 256, 2, 4, 16, 64
    config = transformers.ViTConfig(
        hidden_size=W,
        intermediate_size=F,
        num_hidden_layers=L,
        num_attention_heads=H,
        patch_size=P,
        image_size=side,
    )
    config._attn_implementation = attention
    image = torch.empty(1, 3, side, side, device="meta")
    report = run("ViTModel", config, pixel_values=image)
    patches = (side // P) ** 2
    tokens = patches + 1
    assert macs(report, ".attention") == L * grouped(W, H, H, W // H, tokens)
    assert (
        report.macs
        == patches * W * 3 * P * P
        + L * (grouped(W, H, H, W // H, tokens) + 2 * tokens * W * F)
        + W * W
    )

"""Laws of known models: each coefficient with its arithmetic, and direct runs at sizes that were not used.

Everything runs on meta. Deep models are made with a few layers; what one layer costs is exact, so it is taken as often as the
full model has it.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import dispatchcount as dc
from tests.laws.code import agree, image, meta, tokens

pytest.importorskip("transformers")
pytest.importorskip("torchvision")

B_S = ("b", "s")


def hf(config: str, auto: str = "AutoModelForCausalLM", **options: Any) -> nn.Module:
    import transformers

    with torch.device("meta"):
        return (
            getattr(transformers, auto).from_config(getattr(transformers, config)(**options)).eval()
        )


def tv(name: str) -> nn.Module:
    import torchvision

    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None).eval()


@pytest.fixture(autouse=True)
def _no_grad(request: pytest.FixtureRequest) -> Any:
    with torch.set_grad_enabled("step" in request.node.name):
        yield


@cache
def gpt2() -> nn.Module:
    return hf("GPT2Config", n_layer=2)


@cache
def gpt2_law() -> dc.Law:
    model = gpt2()
    with torch.no_grad():
        return dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16)


LINEAR = 12 * (768 * 2304 + 768**2 + 2 * 768 * 3072) + 768 * 50257
SQUARE = 12 * 2 * 768


def test_gpt2() -> None:
    law = gpt2_law()
    assert (LINEAR, SQUARE) == (123_532_032, 18_432)
    layer = law.by_module()["transformer.h.0"]
    assert law.by_module()["transformer.h.1"].flops == layer.flops
    macs, flops = law.macs + 10 * layer.macs, law.flops + 10 * layer.flops
    assert str(macs) == "18,432·b·s² + 123,532,032·b·s"
    assert flops - macs == dc.Polynomial(B_S, {(1, 1): 25 * 768 * 5})  # 25 norms, 5 a value
    assert str(flops) == "18,432·b·s² + 123,628,032·b·s"
    assert law.runs <= 12
    assert law.holds == {"b": "b ≥ 1", "s": "s ≥ 1"}
    assert not law.refused
    assert str(law.by_module()["lm_head"].flops) == "38,597,376·b·s"  # 768·50,257
    assert str(law.by_module()["transformer.h.1.attn"].self_.macs) == "1,536·b·s²"  # 2·768
    assert str(law.params + 10 * layer.params) == "124,439,808"
    step = law.marginal("s") + 10 * (layer.flops.shifted("s", 1) - layer.flops)
    assert str(step) == "36,864·b·s + 123,646,464·b"  # 2·18,432; 123,628,032 + 18,432
    assert law.with_convention("torch").flops == 2 * law.macs


@pytest.mark.parametrize(
    ("b", "s"), [(1, 1), (1, 7), (2, 1), (3, 2), (5, 333), (8, 4096), (7, 100_003)]
)
def test_gpt2_is_what_a_direct_run_says(b: int, s: int) -> None:
    model = gpt2()
    agree(gpt2_law(), model, lambda b, s: model(tokens(b, s)), b=b, s=s)


def test_gpt2_training_step() -> None:
    """Three times the forward, of each product its two gradients, loss and all."""
    model = gpt2()

    def step(b: int, s: int) -> None:
        logits = model(tokens(b, s)).logits
        nn.functional.cross_entropy(logits.flatten(0, 1), tokens(b, s).flatten()).backward()

    law = dc.law(model, step, b=2, s=16)
    forward = dc.Polynomial(B_S, {(1, 2): 2 * 2 * 768, (1, 1): 2 * 7_077_888 + 768 * 50257})
    assert law.macs == 3 * forward
    assert law.by_phase()["forward"].macs == forward
    assert law.by_phase()["backward"].macs == 2 * forward
    agree(law, model, step, b=3, s=57)
    # All twelve layers: 370,596,096·b·s + 55,296·b·s².
    layer = law.by_module()["transformer.h.0"].macs
    assert str(law.macs + 10 * layer) == "55,296·b·s² + 370,596,096·b·s"


def test_gpt2_generation() -> None:
    """Prefill of s tokens, then n steps with a cache."""
    model = hf("GPT2Config", n_layer=1)

    def generate(b: int, s: int, n: int) -> None:
        out = model(tokens(b, s), use_cache=True)
        for _ in range(n):
            out = model(tokens(b, 1), past_key_values=out.past_key_values, use_cache=True)

    law = dc.law(model, generate, b=2, s=16, n=4, far={"n": 9})
    assert law.runs <= 22
    layer = law.by_module()["transformer.h.0"].macs
    assert str(law.macs + 11 * layer) == (
        "18,432·b·s² + 9,216·b·n² + 18,432·b·s·n + 123,532,032·b·s + 123,541,248·b·n"
    )
    assert 123_532_032 + 9_216 == 123_541_248
    agree(law, model, generate, b=1, s=50, n=3)
    # A causal mask halves the prompt's square and leaves what decoding adds.
    assert str(law.causal().macs - law.macs) == "−768·b·s² + 768·b·s"  # 2·768 / 2


def test_llama_3_8b_from_64_tokens_to_131072() -> None:
    model = hf(
        "LlamaConfig",
        vocab_size=128256,
        intermediate_size=14336,
        num_key_value_heads=8,
        num_hidden_layers=2,
    )
    law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16, far={"s": 64})
    assert all(point["s"] <= 64 for point in law.checked)
    layer = law.by_module()["model.layers.0"].macs
    full = law.macs + 30 * layer
    assert str(full) == "262,144·b·s² + 7,504,658,432·b·s"
    assert 32 * 2 * 4096 == 262_144
    assert 32 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336) + 4096 * 128256 == 7_504_658_432
    assert full(b=1, s=131_072) == 5_487_250_217_369_600
    assert full(b=7, s=100_003) == 23_604_599_521_542_144
    agree(law, model, lambda b, s: model(tokens(b, s)), b=1, s=131_072)
    assert str((law.causal().macs - law.macs) * 16) == "−131,072·b·s² + 131,072·b·s"


def test_llama_70b() -> None:
    model = hf(
        "LlamaConfig", vocab_size=128256, hidden_size=8192, intermediate_size=28672,
        num_attention_heads=64, num_key_value_heads=8, num_hidden_layers=1,
    )  # fmt: skip
    law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16)
    full = law.macs + 79 * law.by_module()["model.layers.0"].macs
    assert 80 * (2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28672) + 8192 * 128256 == 69_501_714_432
    assert str(full) == "1,310,720·b·s² + 69,501,714,432·b·s"  # 80·2·8192


def test_deepseek_v3() -> None:
    """Latent attention with 192 for keys and 128 for values; 3 dense layers, 58 with 8 of 256 experts and a shared one."""
    model = hf("DeepseekV3Config", num_hidden_layers=4, dtype=torch.bfloat16)
    law = dc.law(model, lambda s: model(tokens(1, s)), s=16)
    rows = law.by_module()
    dense, sparse = rows["model.layers.0"].macs, rows["model.layers.3"].macs
    full = 3 * dense + 58 * sparse + rows["lm_head"].macs
    assert 61 * 128 * (192 + 128) == 2_498_560
    expected = (
        61 * 187_105_280
        + 3 * 3 * 7168 * 18432
        + 58 * (7168 * 256 + 9 * 3 * 7168 * 2048)
        + 7168 * 129280
    )
    assert expected == 36_624_596_992
    assert str(full) == "2,498,560·s² + 36,624,596,992·s"
    assert law(s=100).estimate  # on meta, grouped products do not know their groups
    agree(law, model, lambda s: model(tokens(1, s)), s=77)


def test_mixtral_sorts_its_tokens() -> None:
    """The experts' products have a law. The sort that groups the tokens has none, and is named."""
    model = hf("MixtralConfig", num_hidden_layers=1, dtype=torch.bfloat16)
    law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16)
    # 2 of 8 experts, each 3·4096·14336; q, o 4096², k, v 4096·1024; the router 4096·8; the head.
    linear = 2 * 4096**2 + 2 * 4096 * 1024 + 4096 * 8 + 2 * 3 * 4096 * 14336 + 4096 * 32000
    assert law.macs == dc.Polynomial(B_S, {(1, 2): 2 * 4096, (1, 1): linear})
    with pytest.raises(dc.LawError, match="arithmetic has no formula: aten.sort is an estimate"):
        _ = law.arithmetic


def test_bert_ends_at_512_positions() -> None:
    model = hf("BertConfig", "AutoModel", num_hidden_layers=2)
    law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16)
    full = law.macs + 10 * law.by_module()["encoder.layer.0"].macs
    assert (
        str(full) == "18,432·b·s² + 84,934,656·b·s + 589,824·b"
    )  # the pooler's 768² once a sequence
    assert law.holds["s"] == "s ≥ 1, s ≤ 512"
    with pytest.raises(
        dc.LawError, match="s = 513: this law holds for s ≥ 1, s ≤ 512; 513 raised RuntimeError"
    ):
        law(b=1, s=513)
    agree(law, model, lambda b, s: model(tokens(b, s)), b=3, s=512)


def test_t5_in_both_lengths() -> None:
    model = hf("T5Config", "AutoModelForSeq2SeqLM", num_layers=1)

    def run(b: int, e: int, d: int) -> None:
        model(input_ids=tokens(b, e), decoder_input_ids=tokens(b, d))

    law = dc.law(model, run, b=2, e=16, d=8)
    assert law.runs <= 22
    assert 6 * (4 * 512**2 + 2 * 512 * 2048) + 6 * 2 * 512**2 == 22_020_096  # cross keys and values
    assert 6 * (6 * 512**2 + 2 * 512 * 2048) + 512 * 32128 == 38_469_632
    rows = law.by_module()
    full = law.macs + 5 * (rows["encoder.block.0"].macs + rows["decoder.block.0"].macs)
    assert full == dc.Polynomial(
        ("b", "e", "d"),
        {
            (1, 2, 0): 6 * 2 * 512,
            (1, 0, 2): 6144,
            (1, 1, 1): 6144,
            (1, 1, 0): 22_020_096,
            (1, 0, 1): 38_469_632,
        },
    )
    agree(law, model, run, b=5, e=123, d=45)


def test_whisper_in_the_length_of_its_text() -> None:
    import transformers

    with torch.device("meta"):
        options = {"encoder_layers": 2, "decoder_layers": 2}
        model = transformers.WhisperForConditionalGeneration(
            transformers.WhisperConfig(**options)
        ).eval()

    def run(b: int, d: int) -> None:
        model(input_features=meta(b, 80, 3000), decoder_input_ids=tokens(b, d))

    law = dc.law(model, run, b=2, d=8)
    assert law.macs.degree("d") == 2
    assert law.macs.coefficient(b=1, d=2) == 2 * 2 * 384  # two layers, scores and values
    agree(law, model, run, b=3, d=99)


def test_lstm() -> None:
    with torch.device("meta"):
        model = nn.LSTM(64, 128, 2, bidirectional=True, batch_first=True).eval()
    law = dc.law(model, lambda b, s: model(meta(b, s, 64)), b=2, s=4, far={"s": 40})
    assert 2 * 4 * 128 * (64 + 128) + 2 * 4 * 128 * (256 + 128) == 589_824
    assert str(law.macs) == "589,824·b·s"
    agree(law, model, lambda b, s: model(meta(b, s, 64)), b=9, s=61)


def test_mamba_2_is_quadratic_between_its_chunks() -> None:
    """Checks inside one chunk of 256 would accept a linear law. Two layers: 32·s² = 2 · 2 · 128 · 64 · … between chunks."""
    model = hf("Mamba2Config", num_hidden_layers=2)
    law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=32)
    assert str(law.macs) == "32·b·s² + 370,259,968·b·s + 3,765,714,944·b"
    assert law.holds["s"] == "s ≡ 32 mod 256"
    agree(law, model, lambda b, s: model(tokens(b, s)), b=1, s=32 + 256 * 15)
    with pytest.raises(
        dc.LawError, match=r"s = 64: this law holds for s ≡ 32 mod 256 \(32, 288, …\)"
    ):
        law(b=1, s=64)


@pytest.mark.parametrize("window", [64, 4096])
def test_sliding_windows_break_bytes_and_not_products(window: int) -> None:
    """A prefill computes the whole rectangle. Only the masks are made otherwise from the window on."""
    model = hf("MistralConfig", num_hidden_layers=1, sliding_window=window)
    law = dc.law(model, lambda b, s: model(tokens(b, s)), b=2, s=16)
    layer = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    assert law.macs == dc.Polynomial(B_S, {(1, 2): 2 * 4096, (1, 1): layer + 4096 * 32000})
    assert law.holds["s"] == "s ≥ 1"
    assert "bytes_read" in law.special[f"s < {window}"]
    for s in (1, window - 1, window, 5 * window):
        agree(law, model, lambda b, s: model(tokens(b, s)), b=3, s=s)
    view = law.causal(window=window)
    pairs = window * 9999 - window * (window - 1) // 2
    assert view(b=1, s=9999).macs == 2 * 4096 * pairs + 9999 * (layer + 4096 * 32000)


def test_windowed_decoding_is_linear_from_the_window_on() -> None:
    """Mistral with W = 8: each new token costs a linear part and 2·4096·8 for its 8 keys, however many came before."""
    model = hf("MistralConfig", num_hidden_layers=1, sliding_window=8)

    def generate(b: int, s: int, n: int) -> None:
        out = model(tokens(b, s), use_cache=True)
        for _ in range(n):
            out = model(tokens(b, 1), past_key_values=out.past_key_values, use_cache=True)

    law = dc.law(model, generate, b=2, s=10, n=2, far={"n": 9, "s": 200})
    linear = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 4096 * 32000
    assert law.macs == dc.Polynomial(
        ("b", "s", "n"), {(1, 2, 0): 2 * 4096, (1, 1, 0): linear, (1, 0, 1): linear + 2 * 4096 * 8}
    )
    agree(law, model, generate, b=1, s=64, n=5)
    with pytest.raises(dc.LawError, match="s = 2: this law holds for s ≥ [78]"):
        law(b=1, s=2, n=3)


def test_resnet_50() -> None:
    model = tv("resnet50")
    law = dc.law(model, lambda b, h, w: model(image(b, h, w)), b=2, h=224, w=224)
    assert law.runs <= 50
    assert law.holds == {"b": "b ≥ 1", "h": "h ≡ 0 mod 32", "w": "w ≡ 0 mod 32"}
    assert str(law.macs) == "81,456·b·h·w + 2,048,000·b"  # the head's 2048·1000 once an image
    assert law(b=1, h=224, w=224).macs == 81_456 * 224**2 + 2_048_000 == 4_089_184_256
    assert law(b=1, h=224, w=224).flops == 81_901 * 50_176 + 2_048_000 == 4_111_512_576
    assert str(law.by_module()["conv1"].macs) == "2,352·b·h·w"  # 3·7·7·64 / 2²
    with pytest.raises(
        dc.LawError,
        match=r"h = 225: this law holds for h ≡ 0 mod 32 \(224, 256, …\); dc.law\(…, h=225\) makes the one for h ≡ 1 mod 32",
    ):
        law(b=1, h=225, w=224)
    for b, h, w in ((1, 32, 32), (1, 224, 320), (3, 480, 640)):
        agree(law, model, lambda b, h, w: model(image(b, h, w)), b=b, h=h, w=w)


def test_resnet_at_an_odd_size_has_its_own_law() -> None:
    model = tv("resnet18")
    law = dc.law(model, lambda b, h: model(image(b, h, h)), b=2, h=225)
    assert law.holds["h"] == "h ≡ 1 mod 32"
    for h in (33, 225, 513):
        agree(law, model, lambda b, h: model(image(b, h, h)), b=2, h=h)


def test_vgg_16_holds_at_32_and_its_pooling_at_224() -> None:
    """Adaptive pooling to 7×7 counts what its windows overlap, so its arithmetic needs multiples of 7·32."""
    model = tv("vgg16")
    law = dc.law(model, lambda b, h: model(image(b, h, h)), b=2, h=224)
    assert str(law.macs) == "305,856·b·h² + 123,633,664·b"
    assert 25088 * 4096 + 4096**2 + 4096 * 1000 == 123_633_664
    assert law.special["h ≢ 0 mod 224"] == ("arithmetic",)
    agree(law, model, lambda b, h: model(image(b, h, h)), b=1, h=256)
    agree(law, model, lambda b, h: model(image(b, h, h)), b=1, h=448)


class Vit(nn.Module):
    """ViT-B/16 with one layer: patches of 16, a class token, positions that are resampled off its own size, a pooler."""

    def __init__(self) -> None:
        super().__init__()
        self.image_size = 224
        self.patch = nn.Conv2d(3, 768, 16, 16)
        self.positions, self.token = (
            nn.Parameter(meta(1, 768, 14, 14)),
            nn.Parameter(meta(1, 1, 768)),
        )
        self.qkv, self.out = nn.Linear(768, 3 * 768), nn.Linear(768, 768)
        self.up, self.down = nn.Linear(768, 3072), nn.Linear(3072, 768)
        self.pooler = nn.Linear(768, 768)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x)
        there = self.positions
        if x.shape[2:] != there.shape[2:]:
            there = nn.functional.interpolate(there, size=x.shape[2:], mode="nearest")
        x = (x + there).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], 1, 768), x], 1)
        q, k, v = self.qkv(x).unflatten(2, (3, 12, 64)).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        x = x + self.down(nn.functional.gelu(self.up(x)))
        return self.pooler(x[:, 0])


@pytest.mark.parametrize("start", [224, 64])
def test_vit_interpolates(start: int) -> None:
    """At its own size, 224×224, it does not resample: the law says so, wherever it was made."""
    with torch.device("meta"):
        model = Vit().eval()

    def run(b: int, h: int, w: int) -> None:
        model(image(b, h, w))

    law = dc.law(model, run, b=2, h=start, w=start)
    # Eleven more layers: n² pairs of the n = 1 + h·w/256 tokens, 2·768 MACs each; 4·768² + 2·768·3072 MACs a token.
    n = dc.Polynomial(("b", "h", "w"), {(0, 1, 1): Fraction(1, 256), (0, 0, 0): Fraction(1)})
    b = dc.Polynomial(("b", "h", "w"), {(1, 0, 0): Fraction(1)})
    layer = b * n * n * (2 * 768) + b * n * (4 * 768**2 + 2 * 768 * 3072)
    assert str(law.macs + 11 * layer) == "9/32·b·h²·w² + 334,224·b·h·w + 85,542,912·b"
    assert (
        84_934_656 + 589_824 + 36_864
    ) / 256 == 334_224  # layers, patches, the class token's row and column
    assert 84_934_656 + 18_432 + 589_824 == 85_542_912  # the class token, its own pair, the pooler
    assert law.holds["h"] == "h ≡ 0 mod 16"
    for h, w in ((224, 224), (240, 224), (16, 512), (384, 384)):
        agree(law.with_convention("macs"), model, run, b=3, h=h, w=w)
    # By fvcore's convention, resampling is flops.
    with pytest.raises(dc.LawError, match=r"h = 224, w = 224: .* \(the MACs have a formula there"):
        law(b=1, h=224, w=224)
    with pytest.raises(dc.LawError, match="its pairs are not those of h tokens alone"):
        law.causal()


def test_a_small_unet_raises_off_its_sizes() -> None:
    class UNet(nn.Module):
        """Two halvings with skip connections, attention at the bottom."""

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
            self.c, self.d = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(24, 3, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = self.a(x)
            b = self.b(nn.functional.max_pool2d(a, 2))
            c = self.c(nn.functional.max_pool2d(b, 2)).flatten(2).transpose(1, 2)
            c = nn.functional.scaled_dot_product_attention(c, c, c)
            c = c.transpose(1, 2).unflatten(2, (x.shape[2] // 4, x.shape[3] // 4))
            b = b + nn.functional.interpolate(c, scale_factor=2.0)
            return self.d(torch.cat([a, nn.functional.interpolate(b, scale_factor=2.0)], 1))

    with torch.device("meta"):
        model = UNet().eval()
    law = dc.law(model, lambda b, h, w: model(image(b, h, w)), b=2, h=32, w=32)
    assert law.holds == {"b": "b ≥ 1", "h": "h ≡ 0 mod 4", "w": "w ≡ 0 mod 4"}
    # Attention: 2·16 a pair of (h·w/16)² pairs. Convolutions, a pixel: 9·(3·8 + 8·16/4 + 16·16/16 + 24·3).
    assert str(law.macs) == f"1/8·b·h²·w² + {9 * (24 + 32 + 16 + 72):,}·b·h·w"


def test_packed_sequences() -> None:
    """Figures of four sequences in one batch without padding: 4·64²·ΣL + 2·64·ΣL²."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(x).unflatten(2, (3, 4, 16)).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            return self.out(y.transpose(1, 2).flatten(2))

    with torch.device("meta"):
        model = Block().eval()
    law = dc.law(model, lambda b, s: model(meta(b, s, 64)), b=2, s=16)
    lengths = [5, 9, 3, 30]
    assert law.packed(s=lengths).macs == 16_384 * 47 + 128 * 1_015 == 899_968
    assert (sum(lengths), sum(n * n for n in lengths)) == (47, 1_015)
    assert sum(law(b=1, s=n).macs for n in lengths) == 899_968
    assert law(b=4, s=30).macs == 2_426_880  # padded to the longest
    with pytest.raises(
        dc.LawError,
        match=r"bytes_read: packed sequences have no figure, for the term .* is not linear in b",
    ):
        _ = law.packed(s=lengths).bytes_read

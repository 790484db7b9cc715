"""The models that `laws.py` makes laws of: how to build each on meta, how to run it, and where to begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """A model and a run of it in named sizes."""

    build: Callable[[], nn.Module]
    run: Callable[..., Any]
    sizes: dict[str, int]
    far: dict[str, int] = field(default_factory=dict)


def tokens(b: int, s: int) -> Tensor:
    return torch.zeros(b, s, dtype=torch.long, device="meta")


def image(b: int, h: int, w: int) -> Tensor:
    return torch.zeros(b, 3, h, w, device="meta")


def hf(config: str, kind: str = "AutoModelForCausalLM", **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import transformers

        made = getattr(transformers, config)(**options)
        if kind.startswith("Auto"):
            return getattr(transformers, kind).from_config(made).eval()
        return getattr(transformers, kind)(made).eval()

    return build


def half(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """In bfloat16, which grouped matrix products of experts ask for."""
    return lambda: build().to(torch.bfloat16)


def tv(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import torchvision

        return torchvision.models.get_model(name, weights=None, **options).eval()

    return build


def timm_(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import timm

        return timm.create_model(name, pretrained=False, **options).eval()

    return build


def text(model: nn.Module, b: int, s: int) -> Any:
    return model(tokens(b, s))


def picture(model: nn.Module, b: int, h: int, w: int) -> Any:
    return model(image(b, h, w))


def square(model: nn.Module, b: int, h: int) -> Any:
    return model(image(b, h, h))


def interpolated(model: nn.Module, b: int, h: int) -> Any:
    return model(image(b, h, h), interpolate_pos_encoding=True)


def train_text(model: nn.Module, b: int, s: int) -> None:
    logits = model(tokens(b, s)).logits
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens(b, s).flatten()).backward()


def train_picture(model: nn.Module, b: int, h: int) -> None:
    model(image(b, h, h)).sum().backward()


def generate(model: nn.Module, b: int, s: int, n: int) -> None:
    out = model(tokens(b, s), use_cache=True)
    for _ in range(n):
        out = model(tokens(b, 1), past_key_values=out.past_key_values, use_cache=True)


def encode_decode(model: nn.Module, b: int, e: int, d: int) -> Any:
    return model(input_ids=tokens(b, e), decoder_input_ids=tokens(b, d))


def series(model: nn.Module, b: int, s: int) -> Any:
    return model(torch.zeros(b, s, 64, device="meta"))


class Decoder(nn.Module):
    """Cells in a loop in Python, as older code has them."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.GRUCell(64, 64), nn.Linear(64, 100)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(x.shape[0], 64)
        outputs = []
        for step in x.unbind(1):
            state = self.cell(step, state)
            outputs.append(self.out(state))
        return torch.stack(outputs, 1)


LAYERS2 = {"num_hidden_layers": 2}
TEXT = {"b": 2, "s": 16}
SQUARE = {"b": 2, "h": 224}

CASES: dict[str, Case] = {
    # Decoders
    "GPT-2": Case(hf("GPT2Config"), text, TEXT),
    "Llama-3-8B": Case(hf("LlamaConfig", vocab_size=128256, intermediate_size=14336, num_key_value_heads=8), text, TEXT),
    "Llama-70B": Case(hf("LlamaConfig", vocab_size=128256, hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64, num_key_value_heads=8), text, TEXT),
    "Qwen2.5-0.5B": Case(hf("Qwen2Config", vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True), text, TEXT),
    "Qwen3, 2 layers": Case(hf("Qwen3Config", **LAYERS2), text, TEXT),
    "Mistral, 2 layers": Case(hf("MistralConfig", **LAYERS2), text, TEXT),
    "Mistral, 2 layers, window 64": Case(hf("MistralConfig", sliding_window=64, **LAYERS2), text, TEXT),
    "Gemma-2, 2 layers": Case(hf("Gemma2Config", **LAYERS2), text, TEXT),
    "Gemma-3, 2 layers": Case(hf("Gemma3TextConfig", **LAYERS2), text, TEXT),
    "OPT, 2 layers": Case(hf("OPTConfig", **LAYERS2), text, TEXT),
    "Bloom, 2 layers": Case(hf("BloomConfig", n_layer=2), text, TEXT),
    "Falcon, 2 layers": Case(hf("FalconConfig", **LAYERS2), text, TEXT),
    "GPT-NeoX, 2 layers": Case(hf("GPTNeoXConfig", **LAYERS2), text, TEXT),
    "Phi-3, 2 layers": Case(hf("Phi3Config", **LAYERS2), text, TEXT),
    "Mixtral, 2 layers": Case(half(hf("MixtralConfig", **LAYERS2)), text, TEXT),
    "DeepSeek-V3, 4 layers": Case(half(hf("DeepseekV3Config", num_hidden_layers=4)), text, TEXT),
    "Mamba, 2 layers": Case(hf("MambaConfig", **LAYERS2), text, TEXT),
    "Mamba-2, 2 layers": Case(hf("Mamba2Config", **LAYERS2), text, {"b": 2, "s": 32}),
    # Encoders, encoders with decoders, speech
    "BERT": Case(hf("BertConfig", "AutoModel"), text, TEXT),
    "RoBERTa": Case(hf("RobertaConfig", "AutoModel"), text, TEXT),
    "DistilBERT": Case(hf("DistilBertConfig", "AutoModel"), text, TEXT),
    "ELECTRA": Case(hf("ElectraConfig", "AutoModel"), text, TEXT),
    "ALBERT": Case(hf("AlbertConfig", "AutoModel"), text, TEXT),
    "T5-small": Case(hf("T5Config", "AutoModelForSeq2SeqLM"), encode_decode, {"b": 2, "e": 16, "d": 8}),
    "Whisper, decoder length": Case(hf("WhisperConfig", "WhisperForConditionalGeneration", encoder_layers=2, decoder_layers=2), lambda m, b, d: m(input_features=torch.zeros(b, 80, 3000, device="meta"), decoder_input_ids=tokens(b, d)), {"b": 2, "d": 8}),
    "Wav2Vec2, 2 layers": Case(hf("Wav2Vec2Config", "AutoModel", **LAYERS2), lambda m, b, n: m(torch.zeros(b, n, device="meta")), {"b": 2, "n": 16000}),
    "CLIP": Case(hf("CLIPConfig", "AutoModel"), lambda m, b, t: m(input_ids=tokens(t, 16), pixel_values=image(b, 224, 224)), {"b": 2, "t": 3}),
    # Recurrent nets
    "LSTM, 2 layers, bidirectional": Case(lambda: nn.LSTM(64, 128, 2, bidirectional=True, batch_first=True).eval(), series, TEXT),
    "GRU": Case(lambda: nn.GRU(64, 128, batch_first=True).eval(), series, TEXT),
    "RNN": Case(lambda: nn.RNN(64, 128, batch_first=True).eval(), series, TEXT),
    "GRU cells in a loop": Case(lambda: Decoder().eval(), series, TEXT),
    "Transformer encoder layer": Case(lambda: nn.TransformerEncoderLayer(64, 4, batch_first=True).eval(), series, TEXT),
    # Images
    "ResNet-50": Case(tv("resnet50"), picture, {"b": 2, "h": 224, "w": 224}),
    "ResNet-18": Case(tv("resnet18"), square, SQUARE),
    "VGG-16": Case(tv("vgg16"), square, SQUARE),
    "AlexNet": Case(tv("alexnet"), square, SQUARE),
    "DenseNet-121": Case(tv("densenet121"), square, SQUARE),
    "MobileNetV3": Case(tv("mobilenet_v3_large"), square, SQUARE),
    "EfficientNet-B0": Case(tv("efficientnet_b0"), square, SQUARE),
    "ConvNeXt-T": Case(tv("convnext_tiny"), square, SQUARE),
    "ShuffleNet": Case(tv("shufflenet_v2_x1_0"), square, SQUARE),
    "SqueezeNet": Case(tv("squeezenet1_1"), square, SQUARE),
    "Swin-T": Case(tv("swin_t"), square, SQUARE),
    "r3d_18": Case(tv("r3d_18"), lambda m, b, t: m(torch.zeros(b, 3, t, 112, 112, device="meta")), {"b": 2, "t": 16}),
    "DeepLabV3": Case(lambda: __import__("torchvision").models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None).eval(), square, SQUARE),
    "ViT-B/16, interpolating": Case(hf("ViTConfig", "AutoModel"), interpolated, SQUARE),
    "DINOv2, interpolating": Case(hf("Dinov2Config", "AutoModel", **LAYERS2), square, SQUARE),
    "SegFormer": Case(hf("SegformerConfig", "AutoModel"), square, SQUARE),
    "NFNet-F0": Case(timm_("nfnet_f0"), square, SQUARE),
    "darknet53": Case(timm_("darknet53"), square, {"b": 2, "h": 256}),
    "HRNet-W18": Case(timm_("hrnet_w18"), square, SQUARE),
    "ViT-B/16, batch": Case(tv("vit_b_16"), lambda m, b: m(image(b, 224, 224)), {"b": 2}),
    # Training steps and generation
    "GPT-2, training step": Case(hf("GPT2Config"), train_text, TEXT),
    "Llama, 4 layers, training step": Case(hf("LlamaConfig", num_hidden_layers=4), train_text, TEXT),
    "ResNet-18, training step": Case(tv("resnet18"), train_picture, SQUARE),
    "GPT-2, generation": Case(hf("GPT2Config"), generate, {"b": 2, "s": 16, "n": 4}),
    "Llama, 4 layers, generation": Case(hf("LlamaConfig", num_hidden_layers=4), generate, {"b": 2, "s": 16, "n": 4}),
    "Mistral, window 32, generation": Case(hf("MistralConfig", sliding_window=32, **LAYERS2), generate, {"b": 2, "s": 16, "n": 4}),
}  # fmt: skip

"""The models that the oracles are asked about, with random weights and small inputs.

They are from torchvision, timm and transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import timm
import torch
import torchvision
import transformers
from torch import nn

Case = tuple[nn.Module, tuple[Any, ...]]

TORCHVISION = {
    "alexnet": 64, "vgg11_bn": 32, "resnet18": 64, "densenet121": 32, "squeezenet1_1": 64, "googlenet": 64, "shufflenet_v2_x0_5": 64,
    "mobilenet_v2": 32, "mobilenet_v3_small": 32, "mnasnet0_5": 32, "efficientnet_b0": 32, "regnet_y_400mf": 32, "convnext_tiny": 32,
    "swin_t": 64, "swin_v2_t": 64, "vit_b_32": 224, "maxvit_t": 224,
}  # fmt: skip
TIMM = {
    "resnet10t": 64, "vit_tiny_patch16_224": 224, "mixer_s32_224": 224, "levit_128s": 224, "edgenext_xx_small": 64,
    "mobilevit_xxs": 64, "mobilevitv2_050": 64, "convnextv2_atto": 64, "ghostnet_050": 64, "repvgg_a0": 64,
    "poolformer_s12": 64, "pvt_v2_b0": 64, "coat_lite_tiny": 224, "crossvit_tiny_240": 240, "eca_nfnet_l0": 64, "skresnet18": 64,
    "mambaout_femto": 64, "focalnet_tiny_srf": 64, "tinynet_e": 64, "swin_tiny_patch4_window7_224": 224, "convmixer_768_32": 32,
    "sequencer2d_s": 224,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 64, "use_cache": False, "return_dict": False,
}  # fmt: skip


class OutOnly(nn.Module):
    """A segmentation network whose result is its `out`, for tracing takes no dict."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)["out"]


def _torchvision(name: str, size: int) -> Callable[[], Case]:
    kwargs = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    return lambda: (
        getattr(torchvision.models, name)(**kwargs).eval(),
        (torch.randn(1, 3, size, size),),
    )


def _segmentation(name: str) -> Callable[[], Case]:
    def make() -> Case:
        model = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None)
        return OutOnly(model).eval(), (torch.randn(1, 3, 32, 32),)

    return make


def _video(name: str) -> Callable[[], Case]:
    return lambda: (
        getattr(torchvision.models.video, name)().eval(),
        (torch.randn(1, 3, 4, 32, 32),),
    )


def _timm(name: str, size: int) -> Callable[[], Case]:
    return lambda: (
        timm.create_model(name, num_classes=10).eval(),
        (torch.randn(1, 3, size, size),),
    )


def _transformers(name: str, **settings: Any) -> Callable[[], Case]:
    def make() -> Case:
        config = getattr(transformers, f"{name}Config")(**SMALL | settings)
        config._attn_implementation = settings.get("attention", "eager")
        model = getattr(transformers, settings.get("model", f"{name}Model"))(config).eval()
        return model, (torch.randint(0, 99, (2, 7)),)

    return make


def models() -> dict[str, Callable[[], Case]]:
    """How to make each, by name."""
    made = {f"torchvision {name}": _torchvision(name, size) for name, size in TORCHVISION.items()}
    made |= {
        f"torchvision {name}": _segmentation(name)
        for name in ("lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large")
    }
    made |= {f"torchvision {name}": _video(name) for name in ("r3d_18", "r2plus1d_18")}
    made |= {f"timm {name}": _timm(name, size) for name, size in TIMM.items()}
    made |= {
        "transformers bert": _transformers("Bert"),
        "transformers bert sdpa": _transformers("Bert", attention="sdpa"),
        "transformers roberta": _transformers("Roberta"),
        "transformers electra": _transformers("Electra", embedding_size=32),
        "transformers distilbert": _transformers(
            "DistilBert", dim=32, hidden_dim=64, n_layers=2, n_heads=4
        ),
        "transformers albert": _transformers("Albert", embedding_size=16),
        "transformers gpt2": _transformers("GPT2", n_embd=32, n_layer=2, n_head=4, n_positions=64),
        "transformers llama": _transformers("Llama", num_key_value_heads=2),
        "transformers mpnet": _transformers("MPNet"),
    }
    return made

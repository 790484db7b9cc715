"""torch's FlopCounterMode, halved, agrees wherever it is right; where it is not, the table says what it misses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

import dispatchcount as dc
from tests.proof.same import REGIMES

pytestmark = pytest.mark.usefixtures("quiet")


def both(run: Callable[[], Any]) -> tuple[int, int]:
    """FlopCounterMode's flops and our MACs of one call each."""
    with FlopCounterMode(display=False) as counter:
        run()
    with dc.profile() as prof:
        run()
    assert not prof.report.unknown_ops
    return counter.get_total_flops(), prof.report.macs


IMAGE_MODELS = (
    "alexnet", "convnext_tiny", "deeplabv3_resnet50", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "lraspp_mobilenet_v3_large",
    "maxvit_t", "mnasnet1_0", "mobilenet_v3_large", "resnet18", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t", "swin_v2_t",
    "vgg11", "vit_b_16",
)  # fmt: skip


@pytest.mark.proof(every=4)
@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_torchvision(name: str) -> None:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if name.startswith(("deeplab", "lraspp")):
        options = {"weights_backbone": None}
    with torch.device("meta"):
        model, image = (
            models.get_model(name, weights=None, **options).eval(),
            torch.rand(2, 3, 224, 224),
        )
    theirs, ours = both(lambda: model(image))
    assert theirs == 2 * ours > 0


TEXT_CONFIGS = ("AlbertConfig", "BertConfig", "BloomConfig", "ElectraConfig", "GPT2Config", "GPTNeoXConfig", "LlamaConfig", "MambaConfig", "OPTConfig",
                "Qwen2Config", "RobertaConfig", "T5Config")  # fmt: skip


@pytest.mark.proof(every=4)
@pytest.mark.parametrize("name", TEXT_CONFIGS)
def test_transformers(name: str) -> None:
    config = getattr(tf, name)(num_hidden_layers=2)
    with torch.device("meta"):
        model, text = tf.AutoModel.from_config(config).eval(), torch.zeros(2, 64, dtype=torch.int64)
    inputs = {"input_ids": text} | (
        {"decoder_input_ids": text[:, :16]} if config.is_encoder_decoder else {}
    )
    theirs, ours = both(lambda: model(**inputs))
    assert theirs == 2 * ours > 0


def _attention(**kwargs: Any) -> Callable[[], Any]:
    q, k = torch.rand(1, 8, 16, 32), torch.rand(1, 8, 16, 32)
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, k, k, **kwargs)


def _in_place() -> Any:
    return torch.rand(4, 6).addmm_(torch.rand(4, 5), torch.rand(5, 6))


LSTM, ENCODER = nn.LSTM(10, 20), nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()

DISAGREEMENTS: dict[str, tuple[str, Callable[[], Any], int, int]] = {
    # what FlopCounterMode does: regime, call, its flops, our MACs
    "in-place products are no products": ("grad", _in_place, 0, 4 * 5 * 6),
    "a product with a vector is none": ("grad", lambda: torch.mv(torch.rand(4, 5), torch.rand(5)), 0, 20),
    "a dot product is none": ("grad", lambda: torch.dot(torch.rand(5), torch.rand(5)), 0, 5),
    "bilinear forms are nothing": ("grad", lambda: nn.Bilinear(3, 4, 5)(torch.rand(2, 3), torch.rand(2, 4)), 0, 2 * 5 * (3 * 4 + 4)),
    "the LSTM kernel is nothing": ("no_grad", lambda: LSTM(torch.rand(5, 3, 10)), 0, 36_000),
    "the encoder layer's fast path is nothing": ("no_grad", lambda: ENCODER(torch.rand(2, 10, 32)), 0, 176_640),
    "the CPU's attention kernel is nothing": ("grad", _attention(), 0, 2 * 8 * 16 * 16 * 32),
    "a complex product costs as much as a real one": (
        "grad", lambda: torch.rand(4, 5, dtype=torch.complex64) @ torch.rand(5, 6, dtype=torch.complex64), 2 * 120, 4 * 120,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_known_disagreements(name: str) -> None:
    regime, run, theirs, ours = DISAGREEMENTS[name]
    with REGIMES[regime]():
        assert both(run) == (theirs, ours)

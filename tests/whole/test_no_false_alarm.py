"""Whole models of other libraries are counted with nothing unknown, unseen or failed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
import transformers
from torch import nn

import dispatchcount as dc


def quiet(model: nn.Module, *args: Any, **kwargs: Any) -> None:
    with dc.profile(model, strict=True) as prof, torch.no_grad():
        model.eval()(*args, **kwargs)
    assert prof.report.macs > 0
    with dc.profile(model, strict=True) as prof, torch.inference_mode():
        model(*args, **kwargs)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_32", "swin_t"])
def test_image_models_raise_no_alarm(name: str) -> None:
    side = 224 if name == "vit_b_32" else 64
    quiet(torchvision.models.get_model(name, weights=None), torch.rand(1, 3, side, side))


def test_a_detector_raises_no_alarm() -> None:
    model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=96
    )
    quiet(model, [torch.rand(3, 64, 80)])


def test_recurrent_nets_raise_no_alarm() -> None:
    quiet(nn.LSTM(4, 8, num_layers=2, bidirectional=True, batch_first=True), torch.rand(2, 5, 4))
    quiet(nn.GRU(4, 8), torch.rand(5, 2, 4))
    packed = nn.utils.rnn.pack_padded_sequence(
        torch.rand(2, 5, 4), torch.tensor([5, 3]), batch_first=True
    )
    quiet(nn.LSTM(4, 8, batch_first=True), packed)


def test_generation_raises_no_alarm() -> None:
    config = transformers.GPT2Config(
        vocab_size=50,
        n_positions=32,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    with dc.profile(model, strict=True) as prof:
        model.generate(
            torch.tensor([[2, 3, 4]]),
            max_new_tokens=4,
            min_new_tokens=4,
            do_sample=False,
            pad_token_id=0,
        )
    assert prof.report.by_module()[""].calls == 4


def test_numpy_writing_into_an_empty_tensor() -> None:
    with dc.profile() as prof:
        tensor = torch.empty(4)
        tensor.numpy()[:] = 1
        tensor.sum()
        _ = torch.from_numpy(tensor.numpy()).sum()
    assert len(prof.report.unknown_ops) == 1

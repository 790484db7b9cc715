"""The models that the benchmarks run, and the multiply-accumulates that each really does, by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Scene:
    """One thing to run.

    Attributes:
        name: for tables.
        model, inputs: what is called.
        macs: the right count of one run.
        training: whether a run is a forward and a backward.
        big: a model on which the operators themselves take the time.
    """

    name: str
    model: nn.Module
    inputs: tuple[Tensor, ...]
    macs: int
    training: bool = False
    big: bool = False

    def run(self) -> None:
        """Once."""
        if self.training:
            self.model.zero_grad()
            self.model(*self.inputs).sum().backward()
            return
        with torch.no_grad():
            self.model(*self.inputs)


class SmallOps(nn.Module):
    """2,000 operators on 8 × 8 matrices: products, adds, multiplies and ReLUs in equal parts."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(8))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        for _ in range(500):
            x = torch.relu((x @ weight + weight) * weight)
        return x


class Logits(nn.Module):
    """A language model that returns a tensor, which every tool takes."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.model(tokens, use_cache=False).logits
        return logits


def small_ops() -> Scene:
    return Scene("loop of 2,000 small ops", SmallOps(), (torch.rand(8, 8),), 500 * 8 * 8 * 8)


GPT2 = 32, 64, 512, 12
"""Tokens, width, vocabulary and layers."""


def gpt2() -> Scene:
    from transformers import GPT2Config, GPT2LMHeadModel

    T, W, V, layers = GPT2
    config = GPT2Config(
        n_layer=layers,
        n_embd=W,
        n_head=4,
        vocab_size=V,
        n_positions=T,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = Logits(GPT2LMHeadModel(config).eval())
    return Scene(
        "GPT-2, 12 layers of width 64",
        model,
        (torch.randint(0, V, (1, T)),),
        layers * _layer(T, W) + T * W * V,
    )


def gpt2_training() -> Scene:
    scene, (T, W, _, layers) = gpt2(), GPT2
    attention = (
        layers * 2 * T * T * W
    )  # its backward has five products for the forward's two; all others have two for one
    macs = 3 * (scene.macs - attention) + attention + layers * 5 * T * T * W
    return Scene(
        f"{scene.name}, forward and backward", scene.model, scene.inputs, macs, training=True
    )


def resnet18() -> Scene:
    from torchvision.models import resnet18 as make

    return Scene(
        "ResNet-18 at 32",
        make().eval(),
        (torch.rand(1, 3, 32, 32),),
        _resnet(32, (2, 2, 2, 2), bottleneck=False),
    )


def resnet18_training() -> Scene:
    scene, batch = resnet18(), 2  # batch norm needs two values a channel
    first = (
        16 * 16 * 64 * 3 * 7 * 7
    )  # the image needs no gradient; every other product is met three times
    macs = batch * (3 * scene.macs - first)
    return Scene(
        f"{scene.name}, forward and backward",
        scene.model.train(),
        (torch.rand(batch, 3, 32, 32),),
        macs,
        training=True,
    )


def resnet50() -> Scene:
    from torchvision.models import resnet50 as make

    macs = _resnet(224, (3, 4, 6, 3), bottleneck=True)
    return Scene("ResNet-50 at 224", make().eval(), (torch.rand(1, 3, 224, 224),), macs, big=True)


def vit() -> Scene:
    from torchvision.models import vit_b_16 as make

    T, W = 14 * 14 + 1, 768
    macs = (T - 1) * W * 3 * 16 * 16 + 12 * _layer(T, W) + W * 1000
    return Scene("ViT-B/16 at 224", make().eval(), (torch.rand(1, 3, 224, 224),), macs, big=True)


def _layer(T: int, W: int) -> int:
    """MACs of a transformer layer: queries, keys and values; scores and mixing; projection; MLP."""
    return T * W * 3 * W + 2 * T * T * W + T * W * W + 2 * T * W * 4 * W


def _resnet(side: int, blocks: tuple[int, ...], *, bottleneck: bool) -> int:
    """MACs of a torchvision ResNet on one image: those of its convolutions and its classifier."""
    side //= 2
    macs = side * side * 64 * 3 * 7 * 7
    side //= 2  # the max pool
    channels = 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        out = 4 * width if bottleneck else width
        for block in range(count):
            before = side
            side = side // 2 if stage and not block else side
            if bottleneck:  # 1×1, then a 3×3 that strides, then 1×1
                macs += (
                    before**2 * channels * width
                    + side**2 * width * width * 9
                    + side**2 * width * out
                )
            else:
                macs += side**2 * (channels + out) * out * 9
            if not block and (stage or bottleneck):
                macs += side**2 * channels * out  # the 1×1 beside it
            channels = out
    return macs + channels * 1000


SCENES: dict[str, Callable[[], Scene]] = {
    "small_ops": small_ops,
    "gpt2": gpt2,
    "gpt2_training": gpt2_training,
    "resnet18": resnet18,
    "resnet18_training": resnet18_training,
    "resnet50": resnet50,
    "vit": vit,
}


def scene(name: str) -> Scene:
    """A scene by its key, on one thread and from one seed.

    Raises:
        KeyError: there is none of that key.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return SCENES[name]()

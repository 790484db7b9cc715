"""The reports that the pictures are made of: one of each kind that the pages have a view for."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import dispatchcount as dc
from dispatchcount.cli import main


def resnet50() -> dc.Report:
    """An image through ResNet-50."""
    import torchvision

    model = torchvision.models.resnet50(weights=None).eval()
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
    return prof.report.with_labels(model="ResNet-50", input="1×3×224×224")


LLAMA = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}


def llama8b() -> dc.Report:
    """2,048 tokens through a model of the size of Llama-3-8B, which needs no memory for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "llama.json"
        command = ["profile", "transformers:LlamaForCausalLM", "--length", "2048", "--json"]
        sizes = [f"--config={key}={value}" for key, value in LLAMA.items()]
        if main([*command, str(path), *sizes]):
            raise RuntimeError("the command line did not profile the model")
        return dc.Report.from_json(path).with_labels(model="Llama-3-8B", input="1×2048")


class EarlyExit(nn.Module):
    """Six blocks; an input leaves after the first at which its head is sure."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
            for _ in range(6)
        )
        self.experts = nn.ModuleList(nn.Linear(32, 32) for _ in range(4))
        self.heads = nn.ModuleList(nn.Linear(32, 10) for _ in range(6))

    def forward(self, x: torch.Tensor, exit_at: int) -> torch.Tensor:
        """The logits of the first `exit_at` blocks."""
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i + 1 == exit_at:
                break
        pooled = x.mean((2, 3))
        pooled = pooled + self.experts[exit_at % 3 + (exit_at > 4)](pooled)
        return self.heads[exit_at - 1](pooled)


def early_exit() -> dc.Report:
    """100 images through `EarlyExit`; most leave early."""
    torch.manual_seed(0)
    model = EarlyExit().eval()
    exits = (torch.distributions.Geometric(0.45).sample((100,)).clamp(max=5) + 1).int().tolist()
    with dc.profile(model) as prof, torch.no_grad():
        for i, exit_at in enumerate(exits):
            with prof.sample(f"image-{i:03}"):
                model(torch.randn(1, 3, 32, 32), exit_at)
    return prof.report.with_labels(model="Early exit", input="3×32×32")


def training() -> dc.Report:
    """A step of training with a small vision transformer, with memory and time."""
    return _step().with_labels(model="ViT, a step of training", input="4×3×64×64")


def _step(layers: int = 6, time: bool = True) -> dc.Report:
    import torchvision

    model = torchvision.models.VisionTransformer(64, 16, layers, 4, 128, 512, num_classes=10)
    optimizer = torch.optim.AdamW(model.parameters())
    images, labels = torch.randn(4, 3, 64, 64), torch.tensor([1, 2, 3, 4])
    with dc.profile(model, memory=True, time=time) as prof:
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return prof.report


def wider() -> dc.Report:
    """ResNet-50 with wider blocks, one block more and another head: the new side of a diff."""
    from torchvision.models.resnet import Bottleneck, ResNet

    model = ResNet(Bottleneck, [3, 4, 7, 3], width_per_group=72).eval()
    model.fc = nn.Sequential(nn.Dropout(0.1), nn.Linear(2048, 100))
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
    return prof.report.with_labels(model="ResNet-50, wider", input="1×3×224×224")


def longer() -> dc.Report:
    """The step of training with two layers more and no time measured: the new side of its diff."""
    return _step(layers=8, time=False).with_labels(model="ViT, two layers more", input="4×3×64×64")


class Mixture(nn.Module):
    """Experts that are spread over the ranks: tokens go to their expert's rank and come back."""

    width, tokens, experts = 256, 512, 4

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(self.width, self.experts, bias=False)
        self.experts_here = nn.ModuleList(
            nn.Sequential(nn.Linear(self.width, 1024), nn.GELU(), nn.Linear(1024, self.width))
            for _ in range(self.experts)
        )

    def forward(self, x: torch.Tensor, loads: list[int]) -> torch.Tensor:
        """`loads` are the tokens that each expert of this rank gets."""
        from torch.distributed import _functional_collectives as functional
        from torch.distributed import get_world_size

        ranks = get_world_size()
        sent = [len(x) // ranks] * ranks
        kept = [(sum(loads) + i) // ranks for i in range(ranks)]
        x = x * self.router(x).softmax(-1).amax(-1, keepdim=True)
        group = torch.distributed.group.WORLD
        got = functional.all_to_all_single_autograd(x, kept, sent, group)
        parts = zip(self.experts_here, got.split(loads), strict=True)
        done = torch.cat([expert(part) for expert, part in parts])
        return functional.all_to_all_single_autograd(done, sent, kept, group)


class MixtureLayer(nn.Module):
    """Attention, and a mixture of experts."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(Mixture.width)
        self.attention = nn.MultiheadAttention(Mixture.width, 4, batch_first=True)
        self.mixture = Mixture()

    def forward(self, x: torch.Tensor, loads: list[int]) -> torch.Tensor:
        """One layer."""
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0].clone()
        return x + self.mixture(x[0], loads)[None]


class MixtureModel(nn.Module):
    """Four layers, whose experts are chosen unevenly."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, Mixture.width)
        self.layers = nn.ModuleList(MixtureLayer() for _ in range(4))
        self.head = nn.Linear(Mixture.width, 1000)

    def forward(self, tokens: torch.Tensor, loads: list[list[int]]) -> torch.Tensor:
        """`loads` are those of each layer."""
        x = self.embed(tokens)
        for layer, load in zip(self.layers, loads, strict=True):
            x = layer(x, load)
        return self.head(x)


def _loads(rank: int) -> list[list[int]]:
    """Tokens by layer and expert of a rank; rank 5 has a favourite in the third layer."""
    drawn = random.Random(rank)
    loads = [[drawn.randint(96, 160) for _ in range(Mixture.experts)] for _ in range(4)]
    if rank == 5:
        loads[2][1] = 400
    return loads


def rank(rank: int = 0) -> dc.Report:
    """A step of training of `MixtureModel` as one of 16 ranks, planned."""
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    def parallelize(model: nn.Module, mesh: object) -> nn.Module:
        for layer in model.layers:  # type: ignore[union-attr]
            fully_shard(layer.attention, mesh=mesh["dp"])  # type: ignore[index]
        return model

    def step(model: nn.Module) -> None:
        tokens = torch.zeros(1, Mixture.tokens, dtype=torch.long)
        model(tokens, _loads(dist.get_rank())).mean().backward()

    plan = dc.distributed.plan(MixtureModel, parallelize, step, {"dp": 16}, rank)
    return plan.report.with_labels(model="Mixture of experts", rank=str(rank), world_size="16")


def job() -> dc.Ranks:
    """All 16 ranks of it."""
    return dc.Report.merge([rank(number) for number in range(16)], axis="rank")


REPORTS: dict[str, Callable[[], dc.Report]] = {
    "resnet50": resnet50,
    "llama8b": llama8b,
    "early_exit": early_exit,
    "training": training,
    "wider": wider,
    "longer": longer,
    "rank": rank,
}

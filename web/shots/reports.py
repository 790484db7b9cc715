"""The reports that the pictures are made of: one of each kind that the pages have a view for."""

from __future__ import annotations

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
    import torchvision

    model = torchvision.models.VisionTransformer(64, 16, 6, 4, 128, 512, num_classes=10)
    optimizer = torch.optim.AdamW(model.parameters())
    images, labels = torch.randn(4, 3, 64, 64), torch.tensor([1, 2, 3, 4])
    with dc.profile(model, memory=True, time=True) as prof:
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return prof.report.with_labels(model="ViT, a step of training", input="4×3×64×64")


def wider() -> dc.Report:
    """ResNet-50 with wider blocks, one block more and another head: the new side of a diff."""
    from torchvision.models.resnet import Bottleneck, ResNet

    model = ResNet(Bottleneck, [3, 4, 7, 3], width_per_group=72).eval()
    model.fc = nn.Sequential(nn.Dropout(0.1), nn.Linear(2048, 100))
    with dc.profile(model) as prof, torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
    return prof.report.with_labels(model="ResNet-50, wider", input="1×3×224×224")


REPORTS: dict[str, Callable[[], dc.Report]] = {
    "resnet50": resnet50,
    "llama8b": llama8b,
    "early_exit": early_exit,
    "training": training,
}

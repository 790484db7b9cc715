"""A small model whose cost depends on its input: it has a loop, an early exit and routed experts.

It needs no download. `dispatchcount demo` runs it on two inputs that take different ways
through it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 64
TOKENS = 16


class Refine(nn.Module):
    """Self-attention and a gate. The model calls it until its input has settled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Do one step on tokens ``(batch, tokens, width)``; it halves what is not settled."""
        mixed, _ = self.attention(x, x, x, need_weights=False)
        return 0.5 * x + 0.01 * self.norm(mixed)


class Experts(nn.Module):
    """Four experts; each token goes to one of them."""

    def __init__(self, width: int, experts: int = 4) -> None:
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(experts)
        )
        with torch.no_grad():
            # A token goes to the expert whose number the biggest of its first features has.
            self.router.weight.copy_(torch.eye(experts, width))

    def forward(self, x: Tensor) -> Tensor:
        """Send the tokens ``(batch, tokens, width)`` through the experts that they are routed to.

        An expert without tokens does not run.
        """
        choice = self.router(x).argmax(-1)
        out = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            chosen = choice == index
            if chosen.any():
                out[chosen] = expert(x[chosen])
        return x + out


class Demo(nn.Module):
    """Embeds tokens, refines them in a loop, and asks the experts unless it is sure already."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.embed = nn.Linear(32, width)
        self.refine = Refine(width)
        self.early_exit = nn.Linear(width, 10)
        self.experts = Experts(width)
        self.head = nn.Linear(width, 10)

    def forward(self, features: Tensor) -> Tensor:
        """Class scores ``(batch, 10)`` for features ``(batch, tokens, 32)``."""
        x = self.embed(features)
        restless = float(features.abs().mean())
        while restless > 0.25:  # The loop runs as often as the input needs.
            x = self.refine(x)
            restless /= 2
        scores: Tensor = self.early_exit(x.mean(1))
        if float(features.std()) > 0.5:  # Otherwise the model leaves early.
            scores = self.head(self.experts(x).mean(1))
        return scores


def model() -> Demo:
    """The demo's model, with the same weights every time.

    The global random state stays as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        demo = Demo()
        demo.eval()
        return demo


def inputs() -> dict[str, Tensor]:
    """Two inputs of one shape.

    The calm one leaves early. The varied one loops, goes on, and needs all experts.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, TOKENS, 32, generator=generator)
    return {"calm": 0.3 + 0.05 * noise, "varied": 2.0 * noise}

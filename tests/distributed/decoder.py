"""The small decoder that distributed runs are counted on, and what one step of it costs by hand.

It has the sizes of the "LM" of the issue's figures: 2 sequences of 16 tokens, width 64, 4 heads, 2
layers with 128 hidden units, 96 words; 94,528 parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH, LENGTH, WIDTH, HEADS, HIDDEN, LAYERS, WORDS = 2, 16, 64, 4, 128, 2, 96

LAYER = 4 * WIDTH * WIDTH + 3 * WIDTH * HIDDEN + 2 * WIDTH
"""Parameters of a layer: 4 projections, 3 of the gated product, 2 norms."""

OUTSIDE = 2 * WORDS * WIDTH + WIDTH
"""Parameters outside of layers: the embedding, the head and the last norm."""

PARAMETERS = LAYERS * LAYER + OUTSIDE
assert PARAMETERS == 94_528

PRODUCTS = BATCH * LENGTH * (LAYERS * (LAYER - 2 * WIDTH) + WIDTH * WORDS)
"""MACs of a forward with weights: each weight of a product once for each token."""

SCORES = LAYERS * BATCH * LENGTH * LENGTH * WIDTH
"""MACs of one product of attention over all heads. A forward takes 2, a CPU's backward 5."""

STEP = 3 * PRODUCTS + 7 * SCORES
"""MACs of a training step: a product has a gradient for each of its two factors."""
assert STEP == 8_912_896


class Attend(nn.Module):
    """Attention of a token to those before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.each = width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Each rank of tensor parallelism has its own share of the heads."""

        def split(projected: Tensor) -> Tensor:
            return projected.unflatten(-1, (-1, self.each)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.merge(mixed.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    """The gated product of two projections, projected back."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """SwiGLU."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    """Attention, then the gated product, each on the norm of what came before and added to it."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.before = nn.RMSNorm(width)
        self.attend = Attend(width, heads)
        self.between = nn.RMSNorm(width)
        self.gated = Gated(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """One layer."""
        x = x + self.attend(self.before(x))
        return x + self.gated(self.between(x))


class Decoder(nn.Module):
    """The model."""

    def __init__(
        self,
        width: int = WIDTH,
        heads: int = HEADS,
        hidden: int = HIDDEN,
        layers: int = LAYERS,
        words: int = WORDS,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.layers = nn.ModuleList(Layer(width, heads, hidden) for _ in range(layers))
        self.last = nn.RMSNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """From tokens to the scores of the next ones."""
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.last(x))


def tokens() -> Tensor:
    """A batch; every rank has the same, which no count depends on."""
    return torch.arange(BATCH * LENGTH).view(BATCH, LENGTH) % WORDS


def step(model: nn.Module, optimizer: torch.optim.Optimizer, *, to_none: bool = True) -> None:
    """Forward, backward and an update. The scores may be bfloat16 under mixed precision."""
    batch = tokens()
    F.cross_entropy(model(batch).flatten(0, 1).float(), batch.flatten()).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=to_none)

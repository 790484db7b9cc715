"""Llama 7B on 1,024 GPUs, planned on a laptop: what a rank computes, stores and sends in a step.

FSDP2 over "dp" shards what tensor parallelism over "tp" leaves, with activations cut along the
sequence. All of it is torch's own. Nothing is allocated, and no GPU is needed:

    python examples/plan_llama.py
    dispatchcount plan examples/plan_llama.py --mesh dp=1024,tp=1 --mesh dp=128,tp=8 \
        --device h100-sxm --interconnect dp=100e9
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

import dispatchcount as dc

WIDTH, HEADS, HIDDEN, LAYERS, WORDS, LENGTH = 4096, 32, 11008, 32, 32000, 4096


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Rotary position embedding: pairs of a head's values turn by an angle for each position."""
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        # With tensor parallelism a rank has some of the heads, so their number is left open.
        q, k, v = (
            part(x).unflatten(-1, (-1, WIDTH // HEADS)).transpose(1, 2)
            for part in (self.wq, self.wk, self.wv)
        )
        q, k = rotated(q, angles), rotated(k, angles)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.wo(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w3 = (nn.Linear(WIDTH, HIDDEN, bias=False) for _ in range(2))
        self.w2 = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.RMSNorm(WIDTH), Attention()
        self.ffn_norm, self.feed_forward = nn.RMSNorm(WIDTH), FeedForward()

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), angles)
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.norm, self.output = nn.RMSNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        size = WIDTH // HEADS
        speeds = 1e4 ** (-torch.arange(0, size, 2) / size)
        angles = torch.outer(torch.arange(tokens.shape[1]), speeds)
        x = self.embeddings(tokens)
        for layer in self.layers:
            x = layer(x, angles)
        return self.output(self.norm(x))


def build(layers: int = LAYERS) -> nn.Module:
    return Llama(layers).to(torch.bfloat16)


def parallelize(model: Any, mesh: Any) -> nn.Module:
    """Tensor and sequence parallelism over "tp", then FSDP2 over "dp"."""
    pieces, whole = Shard(1), Replicate()
    columns, rows = ColwiseParallel, partial(RowwiseParallel, output_layouts=pieces)
    for layer in model.layers:
        plan = {
            "attention_norm": SequenceParallel(),
            "attention": PrepareModuleInput(
                input_layouts=(pieces, None), desired_input_layouts=(whole, None)
            ),
            **{f"attention.{name}": columns() for name in ("wq", "wk", "wv")},
            "attention.wo": rows(),
            "ffn_norm": SequenceParallel(),
            "feed_forward": PrepareModuleInput(
                input_layouts=(pieces,), desired_input_layouts=(whole,)
            ),
            **{f"feed_forward.{name}": columns() for name in ("w1", "w3")},
            "feed_forward.w2": rows(),
        }
        parallelize_module(layer, mesh["tp"], plan)
    parallelize_module(
        model,
        mesh["tp"],
        {
            "embeddings": rows(input_layouts=whole),
            "norm": SequenceParallel(),
            "output": columns(input_layouts=pieces, output_layouts=whole),
        },
    )
    for layer in model.layers:
        fully_shard(layer, mesh=mesh["dp"])
    return fully_shard(model, mesh=mesh["dp"])


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One sequence on each rank of "dp"."""
    tokens = torch.zeros(1, LENGTH, dtype=torch.long)
    F.cross_entropy(model(tokens).flatten(0, 1).float(), tokens.flatten()).backward()
    optimizer.step()
    optimizer.zero_grad()


optimizer = partial(torch.optim.AdamW, foreach=True)


def samples(mesh: dict[str, int]) -> int:
    """Sequences in a step of all ranks: each has one, and those of "tp" share it."""
    return mesh["dp"]


def main(mesh: str = "dp=128,tp=8", layers: int = 2) -> tuple[Any, Any]:
    planned = dc.distributed.plan(
        partial(build, layers), parallelize, step, mesh, optimizer=optimizer
    )
    print(planned)
    print()
    print(planned.on(dc.device("h100-sxm"), {"dp": 100e9}).table(top=8))
    return planned.report, planned


if __name__ == "__main__":
    main(layers=LAYERS)

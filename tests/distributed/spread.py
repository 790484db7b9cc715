"""The decoder for plans: in the shape of Llama 7B too, and made parallel on any mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

from dispatchcount.distributed.cluster.requirements import missing
from tests.distributed.decoder import Decoder

LACKING = ", ".join(missing())

plans = pytest.mark.skipif(bool(LACKING), reason=f"this torch lacks {LACKING}")
"""For tests that plan: torch 2.6 cannot run collectives on tensors without values."""

VERSION = tuple(map(int, torch.__version__.split(".")[:2]))

uneven = pytest.mark.skipif(
    VERSION < (2, 9), reason="FSDP of tensor parallelism is for even shards up to torch 2.8"
)
"""For tests whose ranks do not divide the rows that tensor parallelism leaves."""


def llama(depth: int) -> Callable[[], Decoder]:
    """Builds the shape of Llama 7B with so many layers, in bfloat16."""
    return lambda: Decoder(4096, 32, 11008, depth, 32000).to(torch.bfloat16)


def step_macs(batch: int, length: int, width: int, inner: int, depth: int, words: int) -> int:
    """A step on a CPU: each product with weights three times; attention 2 and 5 products (fused)."""
    linear = batch * length * (depth * (4 * width**2 + 3 * width * inner) + width * words)
    attention = depth * 2 * batch * length**2 * width
    return 3 * linear + attention + attention * 5 // 2


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, foreach=False)


def step(batch: int = 2, length: int = 16) -> Callable[..., None]:
    """A step of training on so many tokens."""

    def run(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        model(torch.zeros(batch, length, dtype=torch.long)).float().mean().backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()

    return run


def sharded(model: Decoder, mesh: Any) -> nn.Module:
    """FSDP2, with a group for each layer and one for the rest."""
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def _columns_and_rows(model: Decoder, mesh: Any, more: dict[str, Any]) -> Decoder:
    for layer in model.layers:
        plan: dict[str, Any] = {
            f"attend.{name}": ColwiseParallel() for name in ("query", "key", "value")
        } | {f"gated.{name}": ColwiseParallel() for name in ("gate", "up")}
        plan |= {"attend.merge": RowwiseParallel(), "gated.down": RowwiseParallel()}
        parallelize_module(layer, mesh, plan | more)
    return model


def tensor_parallel(model: Decoder, mesh: Any) -> Decoder:
    """Tensor parallelism as `parallelize_module` does it when each product is told alone."""
    _columns_and_rows(model, mesh, {})
    parallelize_module(model, mesh, {"head": ColwiseParallel(output_layouts=Replicate())})
    return model


def megatron(model: Decoder, mesh: Any) -> Decoder:
    """The same with one all-reduce in backward for all products of an input, as Megatron has it."""
    whole = {
        name: PrepareModuleInput(input_layouts=(Replicate(),), desired_input_layouts=(Replicate(),))
        for name in ("attend", "gated")
    }
    _columns_and_rows(model, mesh, whole)
    parallelize_module(model, mesh, {"head": ColwiseParallel(output_layouts=Replicate())})
    return model


def sequence_parallel(model: Decoder, mesh: Any) -> Decoder:
    """Tensor parallelism whose activations are cut along the sequence between the products."""
    pieces = Shard(1)
    for layer in model.layers:
        plan: dict[str, Any] = {
            "before": SequenceParallel(),
            "between": SequenceParallel(),
            "attend.merge": RowwiseParallel(output_layouts=pieces),
            "gated.down": RowwiseParallel(output_layouts=pieces),
        }
        for name in ("attend", "gated"):
            plan[name] = PrepareModuleInput(
                input_layouts=(pieces,), desired_input_layouts=(Replicate(),)
            )
        plan |= {f"attend.{name}": ColwiseParallel() for name in ("query", "key", "value")}
        plan |= {f"gated.{name}": ColwiseParallel() for name in ("gate", "up")}
        parallelize_module(layer, mesh, plan)
    parallelize_module(
        model,
        mesh,
        {
            "embed": RowwiseParallel(input_layouts=Replicate(), output_layouts=pieces),
            "last": SequenceParallel(),
            "head": ColwiseParallel(input_layouts=pieces, output_layouts=Replicate()),
        },
    )
    return model


def both(model: Decoder, mesh: Any) -> nn.Module:
    """FSDP2 over "dp" of tensor parallelism with sequences over "tp"."""
    return sharded(sequence_parallel(model, mesh["tp"]), mesh["dp"])

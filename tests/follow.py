"""What the tests of memory share: the count by brute force, one column of the report, a model that can checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.capture.torch_private import READABLE
from dispatchcount.report.rows import Memory

KB = 1024
"""Bytes of the 256 floats that most tensors here have."""


class Count(TorchDispatchMode):
    """After every operator, adds up all storages it has seen that are not gone. Slow, and as simple as can be."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.seen: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = self.add(known)
        self.op = ""

    def add(self, tensors: Any) -> int:
        self.seen = {key: pair for key, pair in self.seen.items() if not pair[0].expired()}
        for tensor in torch.utils._pytree.tree_leaves(tensors):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.seen[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        return sum(size for _, size in self.seen.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        now = self.add((args, kwargs, out))
        if now > self.peak:
            self.peak, self.op = now, f"{func.namespace}.{func._opname}"
        return out


def followed(model: nn.Module | None, run: Callable[[], Any]) -> Memory:
    """Memory in a block around `run`, after the peak was compared with the count by brute force."""
    models = () if model is None else (model,)
    known = [
        t
        for m in models
        for t in (
            *m.parameters(),
            *m.buffers(),
            *(p.grad for p in m.parameters() if p.grad is not None),
        )
    ]
    count = Count(*known)
    del known
    with count, dc.profile(*models, memory=True) as prof:
        run()
    memory = prof.report.memory
    assert memory is not None
    assert (memory.peak, memory.peak_op) == (count.peak, count.op)
    return memory


def by_name(model: nn.Module, run: Callable[[], Any], column: str) -> dict[str, int]:
    """One column by module name, zeros left out."""
    with dc.profile(model, memory=True) as prof:
        run()
    report = prof.report
    assert report.memory is not None
    return {
        report.modules[row.module].name: n
        for row in report.memory.modules
        if (n := getattr(row, column))
    }


def saves(model: nn.Module, run: Callable[[], Any], expected: dict[str, int]) -> None:
    """Check the bytes saved for backward by module name. A torch that does not show them has a note that says so instead."""
    with dc.profile(model, memory=True) as prof:
        pass
    assert any("saved for backward" in note for note in prof.report.meta.notes) is not READABLE
    assert by_name(model, run, "saved") == (expected if READABLE else {})


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(16, 64), nn.Linear(64, 16), nn.LayerNorm(16)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(nn.functional.gelu(self.a(self.norm(x))))


class Stack(nn.Module):
    def __init__(self, how: bool | None) -> None:
        super().__init__()
        self.blocks, self.how = nn.ModuleList([Block() for _ in range(4)]), how

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x) if self.how is None else checkpoint(block, x, use_reentrant=self.how)
        return x


def train(
    model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer | None = None, steps: int = 1
) -> None:
    for _ in range(steps):
        model(x).square().sum().backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()

"""A machine of known speed with a clock of its own, so that no test asks a real clock."""

from __future__ import annotations

from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dispatchcount.capture.observers import timing
from dispatchcount.hardware import measure

VIEWS = ("view", "transpose", "expand", "detach", "alias", "_unsafe_view", "empty", "squeeze")
"""Operators that take no time, as they touch no memory."""


class Machine(TorchDispatchMode):
    """Under this mode each operator takes the time of a roofline, and the clock shows it.

    Args:
        rates: flops a second of products, by dtype; 1e12 of one that is not among them.
        bandwidth: bytes a second.
        slower: an operator takes so many times its time. The factors are taken in turn, as if other
            work came in between.
    """

    def __init__(self, rates, bandwidth, slower=(1.0,)):
        super().__init__()
        self.rates, self.bandwidth, self.slower = rates, bandwidth, slower
        self.seconds = 0.0
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        took = self.least(func, args, kwargs or {}, out)
        self.seconds += took * self.slower[len(self.calls) % len(self.slower)]
        self.calls.append((func, args))
        return out

    def least(self, func, args, kwargs, out):
        """The larger of the times of arithmetic and of bytes."""
        name = func._schema.name.removeprefix("aten::")
        if name.startswith(VIEWS) or name == "t":
            return 0.0
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        results = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        unread = 1 if name == "copy_" else 0  # it writes its first operand and does not read it
        read = {id(x): x for x in tensors[unread:] if x is not kwargs.get("out")}.values()
        moved = sum(x.numel() * x.element_size() for x in (*read, *results))
        macs = 0
        if name in ("mm", "addmm"):
            left, right = [x for x in tensors if x is not kwargs.get("out")][-2:]
            macs = prod(left.shape) * right.shape[1]
        rate = self.rates.get(str(results[0].dtype).removeprefix("torch.") if results else "", 1e12)
        return max(2 * macs / rate, moved / self.bandwidth)

    def keep_time(self, monkeypatch):
        """Let everything that takes times ask this machine's clock."""
        monkeypatch.setattr(measure, "perf_counter", lambda: self.seconds)
        monkeypatch.setattr(timing, "perf_counter_ns", lambda: round(self.seconds * 1e9))

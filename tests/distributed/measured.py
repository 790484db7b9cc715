"""One step of each way to spread the decoder, counted by dispatchcount, by torch and by a raw log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode

import dispatchcount as dc
from tests.distributed.decoder import step
from tests.distributed.ways import Way, prepared


class RawLog(TorchDispatchMode):
    """Every collective that the dispatcher sees, by torch's own list of them.

    Attributes:
        calls: how often each was called, by name.
        groups: the sizes of the groups that each was called with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.groups: dict[str, set[int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(kind is DTensor for kind in types):
            return NotImplemented  # it takes the call apart, and its parts come here
        # torch 2.6 lacks the list; its lane loads this file, and measures nothing by it.
        from torch.distributed._tools.fake_collectives import (
            CollectiveOp,
            collective_ops,
            sync_ops,
        )

        out = func(*args, **(kwargs or {}))
        if func in collective_ops and func not in sync_ops:
            name = str(func._schema.name).replace("::", ".")
            self.calls[name] += 1
            group = CollectiveOp.get_process_group(func, args)
            self.groups.setdefault(name, set()).add(group.size())
        return out


@dataclass(frozen=True)
class Measured:
    """What one step did.

    Attributes:
        report: as JSON.
        calls: collectives by name, by the raw log of a step like it.
        groups: the sizes of their groups.
        counted: collectives by name, by torch's `CommDebugMode` of that step.
        same: True if the parameters are bit by bit what they are without a profiler.
    """

    report: bytes
    calls: dict[str, int]
    groups: dict[str, set[int]]
    counted: dict[str, int]
    same: bool


def measure(way: Way) -> Measured:
    """Count a step of a model, by each counter on its own."""
    model, optimizer = prepared(way)
    with dc.profile(model) as prof:
        step(model, optimizer)
    after = [parameter.detach().clone() for parameter in model.parameters()]
    # It needs numpy, which the lane with torch alone lacks: that lane loads this file and measures nothing.
    from torch.distributed.tensor.debug import CommDebugMode

    with CommDebugMode() as torchs, RawLog() as log:
        step(model, optimizer)
    # The same two steps without a profiler.
    plain, optimizer = prepared(way)
    step(plain, optimizer)
    same = all(
        torch.equal(_local(a), _local(b)) for a, b in zip(after, plain.parameters(), strict=True)
    )
    counted = {
        str(packet).replace("::", "."): count for packet, count in torchs.get_comm_counts().items()
    }
    return Measured(prof.report.to_json(), dict(log.calls), log.groups, counted, same)


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor

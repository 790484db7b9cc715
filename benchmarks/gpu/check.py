"""What a check is, and the list of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

import dispatchcount as dc


class Check:
    """Something that must hold on the device.

    Attributes:
        short: the name of its function.
        title: what is checked.
        run: given the device, yields a line for each comparison: what, and True if it holds.
        on_host: True if the check itself can be tried on the CPU.
    """

    def __init__(
        self, run: Callable[[torch.device], Iterator[tuple[str, bool]]], *, on_host: bool
    ) -> None:
        self.short = run.__name__
        self.title = (run.__doc__ or "").split(".")[0]
        self.run, self.on_host = run, on_host


CHECKS: list[Check] = []


def check(*, on_host: bool = True) -> Callable[[Any], Any]:
    """Add a function to `CHECKS`."""

    def add(run: Any) -> Any:
        CHECKS.append(Check(run, on_host=on_host))
        return run

    return add


def wait(place: torch.device) -> None:
    """Wait until the device has done what was asked of it."""
    if place.type != "cpu":
        torch.accelerator.synchronize(place)


def training_step(net: torch.nn.Module, x: torch.Tensor, **options: Any) -> dc.Report:
    """A step of AdamW, profiled."""
    optimizer = torch.optim.AdamW(net.parameters())
    with dc.profile(net, **options) as prof:
        out = net(x)
        (out[0] if isinstance(out, tuple) else out).float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return prof.report

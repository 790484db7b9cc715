"""Adjoint ODE solvers of torchdiffeq: the backward solves an ODE whose function takes gradients of the net at every evaluation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchdiffeq import odeint_adjoint

from tests.capture.test_phases import places
from tests.nets import Net, profiled

PRODUCT = 16 * 2 * 50
"""MACs of either layer of the 2-50-2 net on 16 rows."""

EVALUATIONS = {"euler": 1, "midpoint": 2, "rk4": 4}
"""How often each method runs the net in one step."""


def field() -> nn.Module:
    """The net as a function of time and state."""
    net = nn.Sequential(nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 2))
    return Net(lambda m, t, y: m.net(y), net=net)


def solve(f: nn.Module, y: Tensor, method: str, steps: int) -> Tensor:
    return odeint_adjoint(f, y, torch.linspace(0, 1, steps + 1), method=method)[-1]


@pytest.mark.parametrize("method", EVALUATIONS)
@pytest.mark.parametrize("steps", [1, 4])
def test_the_adjoint_s_gradients_are_of_the_net(method: str, steps: int) -> None:
    f = field()
    y = torch.rand(16, 2, requires_grad=True)
    report = profiled(lambda: solve(f, y, method, steps).sum().backward(), f)
    once = steps * EVALUATIONS[method] * PRODUCT
    # The adjoint runs the net as often as the forward does, and takes the gradients of input and weight each time.
    layer = {"forward": once, "recompute": once, "backward": 2 * once}
    assert places(report) == {"net.0": layer, "net.2": layer}


def test_the_published_example() -> None:
    f = field()
    report = profiled(
        lambda: solve(f, torch.rand(16, 2, requires_grad=True), "euler", 4).sum().backward(), f
    )
    # 4 evaluations of 16·(2·50 + 50·2) = 3,200
    totals = {phase: row.macs for phase, row in report.by_phase().items() if row.macs}
    assert totals == {"forward": 12_800, "recompute": 12_800, "backward": 25_600}
    assert report.by_module()["net"].macs == report.macs == 51_200


@pytest.mark.parametrize("steps", [1, 4])
def test_inside_a_model(steps: int) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.out(solve(m.f, m.inp(x), "euler", steps))

    model = Net(
        forward, f=field(), inp=nn.Linear(3, 2, bias=False), out=nn.Linear(2, 1, bias=False)
    )
    report = profiled(lambda: model(torch.rand(16, 3)).sum().backward(), model)
    once = steps * PRODUCT
    layer = {"forward": once, "recompute": once, "backward": 2 * once}
    assert places(report) == {
        "inp": {"forward": 16 * 3 * 2, "backward": 16 * 3 * 2},  # its input needs no gradient
        "f.net.0": layer,
        "f.net.2": layer,
        "out": {"forward": 16 * 2 * 1, "backward": 2 * 16 * 2 * 1},
    }


def test_several_training_steps_are_as_many_times_one() -> None:
    f = field()
    optimizer = torch.optim.SGD(f.parameters(), lr=0.1)

    def train() -> None:
        for _ in range(3):
            optimizer.zero_grad()
            solve(f, torch.rand(16, 2, requires_grad=True), "euler", 2).sum().backward()
            optimizer.step()

    once = 3 * 2 * PRODUCT
    layer = {"forward": once, "recompute": once, "backward": 2 * once}
    assert places(profiled(train, f)) == {"net.0": layer, "net.2": layer}

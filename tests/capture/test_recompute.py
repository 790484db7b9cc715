"""Forwards run again by checkpointing, and gradients of gradients, by phase and by module. Sizes as in test_training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from tests.nets import Net, own_macs, phases

pytestmark = pytest.mark.torch_alone


def profiled(model: nn.Module, run: Callable[[], Any]) -> dc.Report:
    with dc.profile(model) as prof:
        run()
    return prof.report


class Scaled(torch.autograd.Function):
    """x @ w, with a backward that computes only one gradient, twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        _, w = ctx.saved_tensors
        return (grad @ w.t() + grad @ w.t()) / 2, None


class Block(nn.Module):
    """Two layers that may be checkpointed."""

    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 4)
        self.reentrant = reentrant

    def inner(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh())

    def forward(self, x: Tensor) -> Tensor:
        if self.reentrant is None:
            return self.inner(x)
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_s_recompute_stands_apart(reentrant: bool) -> None:
    model = nn.Sequential(Block(reentrant), nn.Linear(4, 2))
    x = torch.randn(2, 4, requires_grad=True)
    report = profiled(model, lambda: model(x).sum().backward())
    first, second, last = 2 * 4 * 8, 2 * 8 * 4, 2 * 4 * 2
    assert own_macs(report, phase="forward") == {"0.first": first, "0.second": second, "1": last}
    # the other flavour stops once it has what it needs: the second layer's input, not its output
    assert own_macs(report, phase="recompute") == {"0.first": first} | (
        {"0.second": second} if reentrant else {}
    )
    assert own_macs(report, phase="backward") == {
        "0.first": 2 * first,
        "0.second": 2 * second,
        "1": 2 * last,
    }
    phases(report)
    caller = report.by_module("caller")
    assert caller["0"].macs == report.by_module()["0"].macs
    assert (
        caller["0.second"].macs == report.by_module()["0.second"].macs
    )  # the recompute of the first is not below it


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_module_is_one_row_with_its_recompute(reentrant: bool) -> None:
    model = Net(lambda m, x: checkpoint(m.block, x, use_reentrant=reentrant), block=Block(None))
    report = profiled(model, lambda: model(torch.randn(2, 4, requires_grad=True)).sum().backward())
    caller = report.by_module("caller")
    assert (
        caller["block"].macs == report.by_module()["block"].macs == report.macs == caller[""].macs
    )
    assert own_macs(report, phase="recompute") == {"block.first": 64} | (
        {"block.second": 64} if reentrant else {}
    )


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_in_checkpoints(reentrant: bool) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return checkpoint(
            lambda y: m.b(checkpoint(m.a, y, use_reentrant=reentrant)), x, use_reentrant=reentrant
        )

    model = Net(forward, a=Block(None), b=Block(None))
    report = profiled(model, lambda: model(torch.randn(2, 4, requires_grad=True)).sum().backward())
    assert own_macs(report, phase="forward") == dict.fromkeys(
        ("a.first", "a.second", "b.first", "b.second"), 64
    )
    assert own_macs(report, phase="backward") == dict.fromkeys(
        ("a.first", "a.second", "b.first", "b.second"), 128
    )
    again = own_macs(report, phase="recompute")
    assert set(again) >= {"a.first", "b.first"}
    assert sum(again.values()) == phases(report)["recompute"]


def test_functions_may_be_recomputed_too() -> None:
    weight = nn.Parameter(torch.randn(4, 8))
    model = Net(
        lambda m, x: checkpoint(lambda y: (y @ weight).tanh() @ weight.t(), x, use_reentrant=False)
    )
    report = profiled(model, lambda: model(torch.randn(2, 4, requires_grad=True)).sum().backward())
    assert phases(report) == {"forward": 128, "recompute": 64, "backward": 256}
    assert set(own_macs(report)) == {""}


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_custom_function_is_recomputed_as_well(reentrant: bool) -> None:
    weight = torch.ones(4, 6)
    body = lambda y: Scaled.apply(torch.sin(y @ torch.eye(4)), weight).tanh()  # noqa: E731
    model = Net(lambda m, x: checkpoint(body, x, use_reentrant=reentrant))
    report = profiled(model, lambda: model(torch.randn(3, 4, requires_grad=True)).sum().backward())
    assert phases(report) == {"forward": 48 + 72, "recompute": 48 + 72, "backward": 48 + 2 * 72}
    assert set(own_macs(report)) == {""}


def test_autograd_grad() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))

    def run() -> None:
        x = torch.randn(2, 4, requires_grad=True)
        torch.autograd.grad(model(x).sum(), x)

    report = profiled(model, run)
    assert own_macs(report, phase="backward") == {
        "0": 64,
        "1": 48,
    }  # no weight gradient was asked for
    phases(report)


def test_the_gradient_of_a_gradient_is_labelled() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def run() -> None:
        x = torch.randn(2, 4, requires_grad=True)
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        slope.square().sum().backward()

    report = profiled(model, run)
    totals = phases(report)
    assert totals["forward"] == 2 * 4 * 8 + 2 * 8 * 1
    # grad(): for each layer the input's gradient, 64 and 16. Then, of these two products, the gradients of both factors
    # (the ones that start the backward have none), and from tanh's second derivative a plain backward through the first
    # layer, for its weight and for x.
    assert own_macs(report, phase="double backward") == {"0": 2 * 64, "2": 16}
    assert own_macs(report, phase="backward") == {"0": 64 + 2 * 64, "2": 16}
    assert set(totals) == {"forward", "backward", "double backward"}


def test_vjp_and_jacobian() -> None:
    model = nn.Linear(4, 3)
    report = profiled(model, lambda: torch.autograd.functional.jacobian(model, torch.randn(2, 4)))
    assert phases(report) == {
        "forward": 24,
        "backward": 6 * 24,
    }  # a backward for each of the 6 outputs


def test_func_grad() -> None:
    model = nn.Linear(4, 3)
    parameters = dict(model.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(model, parameters, (x,)).sum()

    report = profiled(model, lambda: torch.func.grad(loss)(parameters, torch.randn(2, 4)))
    assert sum(phases(report).values()) == 48

"""Training steps by phase and by module. A product of (b, k) with (k, n) is b·k·n MACs; so is each of its two gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.report.rows import PHASES
from tests.nets import Net, own_macs, phases

pytestmark = pytest.mark.torch_alone


def profiled(model: nn.Module, run: Callable[[], Any]) -> dc.Report:
    with dc.profile(model) as prof:
        run()
    return prof.report


class Recursive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor, depth: int) -> Tensor:
        x = self.layer(x)
        return x if depth == 1 else self(x, depth - 1)


def test_a_layer_on_an_input_without_a_gradient_has_the_weight_gradient_alone() -> None:
    model = nn.Linear(4, 3)
    report = profiled(model, lambda: model(torch.randn(2, 4)).sum().backward())
    assert phases(report) == {"forward": 2 * 4 * 3, "backward": 2 * 4 * 3}
    assert own_macs(report) == {"": 48}


def test_a_layer_on_an_input_with_a_gradient_has_both() -> None:
    model = nn.Linear(4, 3)
    report = profiled(model, lambda: model(torch.randn(2, 4, requires_grad=True)).sum().backward())
    assert phases(report) == {"forward": 2 * 4 * 3, "backward": 2 * (2 * 4 * 3)}


def test_backward_goes_to_the_layer_it_is_of() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    report = profiled(model, lambda: model(torch.randn(2, 4)).sum().backward())
    assert own_macs(report, phase="forward") == {"0": 2 * 4 * 8, "2": 2 * 8 * 3}
    assert own_macs(report, phase="backward") == {"0": 2 * 4 * 8, "2": 2 * (2 * 8 * 3)}
    assert phases(report) == {"forward": 112, "backward": 160}
    assert report.by_phase("2")["backward"].macs == 96
    assert report.by_phase("1")["backward"].arithmetic > 0  # threshold_backward


def test_a_convolution_has_a_forward_s_work_twice_in_backward() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1))
    report = profiled(model, lambda: model(torch.randn(1, 2, 5, 5)).sum().backward())
    first, second = 25 * 4 * 2 * 9, 25 * 6 * 4 * 9
    assert own_macs(report, phase="backward") == {"0": first, "1": 2 * second}


@pytest.mark.parametrize("grad", [False, True])
def test_two_branches_on_one_input(grad: bool) -> None:
    model = Net(lambda m, x: m.a(x).sum() + m.b(x).sum(), a=nn.Linear(4, 8), b=nn.Linear(4, 6))
    report = profiled(model, lambda: model(torch.randn(2, 4, requires_grad=grad)).backward())
    times = 2 if grad else 1
    assert own_macs(report, phase="backward") == {"a": times * 2 * 4 * 8, "b": times * 2 * 4 * 6}


def test_a_shared_layer_has_the_backward_of_both_calls() -> None:
    model = Net(lambda m, x: m.second(m.first(x)), first=nn.Linear(4, 4), second=nn.Identity())
    model.second = model.first
    report = profiled(model, lambda: model(torch.randn(2, 4)).sum().backward())
    assert own_macs(report, phase="forward") == {"first": 2 * 32}
    assert own_macs(report, phase="backward") == {
        "first": 32 + 2 * 32
    }  # the first call's input needs no gradient
    assert report.params == 4 * 4 + 4


def test_recursion() -> None:
    model = Recursive()
    report = profiled(model, lambda: model(torch.randn(2, 4), 5).sum().backward())
    assert own_macs(report, phase="forward") == {"layer": 5 * 32}
    assert own_macs(report, phase="backward") == {"layer": 32 + 4 * 64}
    assert report.by_module()[""].calls == 5
    phases(report)


def test_inputs_by_keyword() -> None:
    model = Net(
        lambda m, x: m.out(input=m.hidden(input=x)), hidden=nn.Linear(4, 8), out=nn.Linear(8, 2)
    )
    report = profiled(
        model, lambda: model(x=torch.randn(2, 4, requires_grad=True)).sum().backward()
    )
    assert own_macs(report, phase="backward") == {"hidden": 2 * 64, "out": 2 * 32}


def test_several_forwards_before_one_backward() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))

    def run() -> None:
        losses = [model(torch.randn(batch, 4)).sum() for batch in (1, 2, 3)]
        torch.stack(losses).sum().backward()

    report = profiled(model, run)
    assert own_macs(report, phase="backward") == {"0": 6 * 4 * 8, "1": 2 * 6 * 8 * 3}
    phases(report)


def test_gradient_accumulation_is_the_layer_s_that_holds_the_parameter() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))

    def run() -> None:
        for _ in range(3):
            model(torch.randn(2, 4)).sum().backward()

    report = profiled(model, run)
    adds = report.by_module_and_operator()
    # the first backward hands its gradients over, each later one adds every parameter's onto them
    assert adds["0"]["aten.add_"].arithmetic == 2 * (4 * 8 + 8)
    assert adds["1"]["aten.add_"].arithmetic == 2 * (8 * 3 + 3)
    assert "aten.add_" not in adds.get("(no module)", {})
    assert own_macs(report, phase="backward") == {"0": 3 * 64, "1": 3 * 96}
    phases(report)


def test_two_losses() -> None:
    model = Net(
        lambda m, x: (m.a(h := m.trunk(x)), m.b(h)),
        trunk=nn.Linear(4, 8),
        a=nn.Linear(8, 3),
        b=nn.Linear(8, 5),
    )

    def run() -> None:
        a, b = model(torch.randn(2, 4))
        a.sum().backward(retain_graph=True)
        b.sum().backward()

    report = profiled(model, run)
    assert own_macs(report, phase="backward") == {"a": 2 * 48, "b": 2 * 80, "trunk": 2 * 64}
    phases(report)


def test_frozen_layers_have_no_weight_gradient() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    model[1].requires_grad_(False)
    report = profiled(model, lambda: model(torch.randn(2, 4)).sum().backward())
    assert own_macs(report, phase="backward") == {"2": 2 * 8 * 3}  # nothing below needs a gradient
    model[0].requires_grad_(True)
    report = profiled(model, lambda: model(torch.randn(2, 4)).sum().backward())
    assert own_macs(report, phase="backward") == {
        "0": 2 * 4 * 8,
        "1": 2 * 8 * 8,
        "2": 2 * (2 * 8 * 3),
    }


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


def test_custom_functions() -> None:
    model = Net(
        lambda m, x: m.head(m.custom(m.stem(x))),
        stem=nn.Linear(4, 4),
        custom=Net(lambda m, x: Scaled.apply(x, torch.ones(4, 6))),
        head=nn.Linear(6, 2),
    )
    report = profiled(model, lambda: model(torch.randn(3, 4)).sum().backward())
    assert own_macs(report, phase="forward") == {"stem": 48, "custom": 3 * 4 * 6, "head": 3 * 6 * 2}
    assert own_macs(report, phase="backward") == {"stem": 48, "custom": 2 * 72, "head": 2 * 36}
    phases(report)


def test_work_in_hooks_is_counted_where_the_graph_stands() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    square = torch.eye(8)

    def run() -> None:
        hidden = model[0](torch.randn(2, 4))
        hidden.register_hook(lambda grad: grad @ square)
        model[1](hidden).sum().backward()

    report = profiled(model, run)
    backward = own_macs(report, phase="backward")
    assert sum(backward.values()) == 64 + 2 * 32 + 2 * 8 * 8
    assert backward == {
        "0": 64 + 128,
        "1": 64,
    }  # a hook on a tensor runs before the node that made it
    phases(report)


def test_hooks_on_parameters_and_modules() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    seen = []
    model[0].weight.register_hook(lambda grad: grad @ torch.eye(4))
    model[1].register_full_backward_hook(
        lambda module, given, got: seen.append(torch.eye(8) @ got[0].new_ones(8, 1))
    )
    report = profiled(model, lambda: model(torch.randn(2, 4)).sum().backward())
    assert len(seen) == 1
    backward = own_macs(report, phase="backward")
    assert backward["0"] == 64 + 8 * 4 * 4
    assert backward["1"] == 2 * 32 + 8 * 8
    phases(report)


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW, torch.optim.Adagrad])
def test_optimizers_are_a_phase(make: Any) -> None:
    model = nn.Linear(4, 3)
    optimizer = make(model.parameters(), lr=0.1)

    def run() -> None:
        for _ in range(2):
            model(torch.randn(2, 4)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    report = profiled(model, run)
    assert phases(report) == {"forward": 48, "backward": 48}
    step = report.by_phase()["optimizer"]
    assert step.arithmetic >= 2 * 15
    assert step.macs == 0
    assert set(report.by_phase()) <= set(PHASES)


def test_an_optimizer_that_calls_the_model() -> None:
    model = nn.Linear(4, 1)
    x, y = torch.randn(8, 4), torch.randn(8, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    calls = []

    def closure() -> Tensor:
        calls.append(1)
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    report = profiled(model, lambda: optimizer.step(closure))
    totals = phases(report)
    assert totals["forward"] == totals["backward"] == len(calls) * 8 * 4
    forward = {e.op for e in report.entries if e.phase == "forward"}
    step = {e.op for e in report.entries if e.phase == "optimizer"}
    assert "aten.mse_loss" in forward  # the loss is the closure's, outside of every module
    assert "aten.mse_loss" not in step
    assert "aten.dot" in step


def test_a_step_that_raises_leaves_the_phase() -> None:
    model = nn.Linear(4, 3)

    class Broken(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            raise ValueError("no")

    def run() -> None:
        with pytest.raises(ValueError, match="no"):
            Broken(model.parameters(), lr=0.1).step()
        model(torch.randn(2, 4))
        torch.ones(2, 4) @ torch.ones(4, 4)

    assert phases(profiled(model, run)) == {"forward": 24 + 32}


def test_a_graph_from_before_the_block_is_counted_without_a_module() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    loss = model(torch.randn(2, 4)).sum()
    report = profiled(model, loss.backward)
    assert own_macs(report) == {"(no module)": 64 + 2 * 48}
    assert phases(report) == {"backward": 160}


def test_a_graph_partly_from_before_the_block() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    hidden = model[0](torch.randn(2, 4))
    report = profiled(model, lambda: model[1](hidden).sum().backward())
    assert own_macs(report, phase="backward") == {"(no module)": 64, "1": 96}


def test_the_root_s_own_work_is_the_root_s() -> None:
    weight = nn.Parameter(torch.randn(4, 5))
    model = Net(lambda m, x: m.layer(x) @ weight, layer=nn.Linear(3, 4))
    report = profiled(model, lambda: model(torch.randn(2, 3)).sum().backward())
    assert own_macs(report, phase="backward") == {"layer": 24, "": 2 * 40}


def test_work_after_the_model_has_no_module() -> None:
    model, weight = nn.Linear(3, 4), nn.Parameter(torch.randn(4, 5))
    report = profiled(model, lambda: (model(torch.randn(2, 3)) @ weight).sum().backward())
    assert own_macs(report, phase="forward") == {"": 24, "(no module)": 40}
    assert own_macs(report, phase="backward") == {"": 24, "(no module)": 80}
    phases(report)


def test_a_model_called_in_a_backward_hook_is_counted() -> None:
    model = Net(lambda m, x: m.a(x), a=nn.Linear(4, 4), probe=nn.Linear(4, 4))

    def run() -> None:
        out = model(torch.randn(2, 4))
        out.register_hook(lambda grad: model.probe(grad) * 0 + grad)
        out.sum().backward()

    report = profiled(model, run)
    assert own_macs(report)["probe"] == 32
    assert sum(phases(report).values()) == 32 + 32 + 32


def test_training_through_a_fused_attention() -> None:
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(1, 5, 8)
    report = profiled(model, lambda: model(x, x, x, need_weights=False)[0].sum().backward())
    projections = 5 * 8 * 24 + 5 * 8 * 8
    scores = 2 * (5 * 5 * 8)
    totals = phases(report)
    assert totals["forward"] == projections + scores
    # weight gradients of both projections, the input's of the output one; attention's five products for its two
    assert totals["backward"] == 5 * 8 * 24 + 2 * 5 * 8 * 8 + 5 * (5 * 5 * 8)


def test_detached_and_no_grad_parts_have_no_backward() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            teacher = m.teacher(x)
        return F.mse_loss(m.student(x), teacher)

    model = Net(forward, teacher=nn.Linear(4, 3), student=nn.Linear(4, 3))
    report = profiled(model, lambda: model(torch.randn(2, 4)).backward())
    assert own_macs(report, phase="forward") == {"teacher": 24, "student": 24}
    assert own_macs(report, phase="backward") == {"student": 24}


def test_autocast_trains_with_the_same_own_macs() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(torch.randn(2, 4)).sum()
        loss.backward()

    report = profiled(model, run)
    assert phases(report) == {"forward": 112, "backward": 160}
    assert set(report.by_dtype()) >= {"bfloat16", "float32"}

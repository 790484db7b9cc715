"""Modules that are never called and yet do their part, for an operator of a module around them uses their parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.report.expert_load import expert_load
from tests.nets import Net

pytestmark = pytest.mark.torch_alone

X = torch.ones(1, 5, 16)


def layer() -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()


def uncalled(net: nn.Module, *inputs: Any, calls: int = 1, **options: Any) -> tuple[str, ...]:
    """The modules that did nothing in so many calls."""
    with dc.profile(net, **options) as prof:
        for _ in range(calls):
            net(*inputs)
    report = prof.report
    assert dc.Report.from_json(report.to_json()).uncalled_modules == report.uncalled_modules
    return report.uncalled_modules


@pytest.mark.parametrize("options", [{}, {"memory": True}, {"time": True}])
def test_the_parts_of_a_fused_layer_are_no_dead_branches(options: dict[str, Any]) -> None:
    with torch.no_grad():
        assert uncalled(layer(), X, **options) == ()
    with torch.inference_mode():
        assert uncalled(layer(), X, **options) == ()


def test_every_fused_layer_of_a_stack_is_looked_at() -> None:
    with torch.no_grad():
        assert uncalled(nn.TransformerEncoder(layer(), 3).eval(), X) == ()


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("grad", [True, False])
def test_a_dead_branch_like_one_that_ran_stays_listed(calls: int, grad: bool) -> None:
    net = Net(
        lambda self, x: self.fused(self.linear(x)),
        linear=nn.Linear(16, 16),
        fused=layer(),
        dead=nn.Linear(16, 16),
        spare=layer(),
    )
    net.eval()
    with torch.set_grad_enabled(grad):
        names = uncalled(net, X, calls=calls)
    assert {name.partition(".")[0] for name in names} == {"dead", "spare"}
    assert {"spare.linear1", "spare.dropout", "spare.self_attn.out_proj"} <= set(names)


@pytest.mark.parametrize("grad", [True, False])
def test_weights_handed_to_functions_are_told_from_others_of_their_shape(grad: bool) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.first(x)
        for _ in range(2):
            x = nn.functional.linear(x, self.twice.weight)
        for part in self.loop:
            x = nn.functional.linear(x, part.weight, part.bias)
        return x @ self.product.weight

    def square() -> nn.Linear:
        return nn.Linear(16, 16)

    net = Net(
        forward,
        first=square(),
        twice=square(),
        loop=nn.ModuleList([square(), square()]),
        product=square(),
        dead=square(),
    )
    with torch.set_grad_enabled(grad):
        assert uncalled(net, X) == ("dead",)


def test_attention_uses_its_projection_without_calling_it() -> None:
    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    assert uncalled(attention, X, X, X) == ()
    with torch.no_grad():
        assert uncalled(attention.eval(), X, X, X) == ()


def test_later_calls_are_looked_at_while_a_part_was_not_used() -> None:
    def forward(self: Any, x: Tensor, chosen: int) -> Tensor:
        return nn.functional.linear(x, self.experts[chosen].weight)

    inner = Net(forward, experts=nn.ModuleList(nn.Linear(16, 16) for _ in range(3)))
    net = Net(lambda self, x, chosen: self.inner(x, chosen), inner=inner)
    with dc.profile(net) as prof:
        for chosen in (0, 0, 2):
            net(X, chosen)
    assert prof.report.uncalled_modules == ("inner.experts.1",)
    with pytest.raises(ValueError, match="its own load is not known"):
        expert_load(prof.report, "inner.experts")


def test_a_call_that_an_exception_ends_leaves_nothing_watched() -> None:
    def forward(self: Any, x: Tensor, stop: bool) -> Tensor:
        x = nn.functional.linear(x, self.used.weight)
        if stop:
            raise KeyboardInterrupt
        return x

    net = nn.Sequential(Net(forward, used=nn.Linear(16, 16), dead=nn.Linear(16, 16)), nn.ReLU())
    with dc.profile(net) as prof:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                net[0](X, True)
        net[1](net[0](X, False))
    assert prof.report.uncalled_modules == ("0.dead",)


def test_the_report_says_who_was_used() -> None:
    net = Net(
        lambda self, x: nn.functional.linear(x, self.used.weight),
        used=nn.Linear(16, 16),
        dead=nn.Linear(16, 16),
    )
    with dc.profile(net) as prof:
        net(X)
    report = prof.report
    assert [module.name for module in report.modules if module.fused] == ["used"]
    assert "run by operators of a module around it" in str(report.arch())
    with dc.profile(net) as prof:
        net.dead(X)
    assert (prof.report + report).uncalled_modules == ()
    assert prof.report.uncalled_modules == ("", "used")


@pytest.mark.filterwarnings("ignore")
def test_what_is_used_does_not_depend_on_what_ran_before() -> None:
    stack, pad = nn.TransformerEncoder(layer(), 2).eval(), torch.tensor([[False] * 4 + [True]])
    for _ in range(3):
        with torch.no_grad(), dc.profile(stack) as prof:
            stack(X, src_key_padding_mask=pad)  # by way of nested tensors
        assert prof.report.uncalled_modules == ()
    sparse = Net(
        lambda self, x: x.to_sparse_csr() @ self.used.weight,
        used=nn.Linear(4, 4),
        dead=nn.Linear(4, 4),
    )
    for _ in range(3):
        assert uncalled(sparse, torch.eye(4)) == ("dead",)


def test_modules_may_be_held_under_any_name() -> None:
    net = Net(lambda self, x: self.a.b(self._modules[""](self._modules["a.b"](x))), a=nn.Module())
    for parent, name in ((net.a, "b"), (net, ""), (net, "a.b")):
        parent._modules[name] = nn.Linear(4, 4, bias=False)
    with dc.profile(net) as prof:
        net(torch.ones(1, 4))
    names = [module.name for module in prof.report.modules]
    assert len(names) == len(set(names))
    assert dc.Report.from_json(prof.report.to_json()).by_module()[""].macs == 3 * 4 * 4

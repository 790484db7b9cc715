"""Backward passes inside of backward passes: which phase and which module their operators are counted in.

What a backward pass makes a module compute is recompute; the gradients taken of that are backward, of the same module. It
must not matter how torch came to run the module, nor how the gradient was asked for. `B` is the unit of all figures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

import dispatchcount as dc
from tests.nets import Boom, Net, own_macs, phases, profiled

pytestmark = pytest.mark.torch_alone

B = 4 * 8 * 8
"""MACs of Linear(8, 8, bias=False) on (4, 8), and of each of its two gradients."""

Places = dict[str, dict[str, int]]


def linear() -> nn.Linear:
    return nn.Linear(8, 8, bias=False)


def rows() -> Tensor:
    return torch.rand(4, 8, requires_grad=True)


def places(report: dc.Report) -> Places:
    """Own MACs by module and phase; checks that modules and phases have the same total, and every metric adds up."""
    totals = phases(report)
    own = own_macs(report)
    assert sum(own.values()) == sum(totals.values()) == report.macs
    found: Places = {name: {} for name in own}
    for phase in totals:
        for name, macs in own_macs(report, phase).items():
            found[name][phase] = macs
    for name, parts in found.items():
        assert sum(parts.values()) == own[name] == report.by_module()[name].self_.macs
    return found


def step(model: nn.Module) -> Callable[[], None]:
    return lambda: model(rows()).sum().backward()


class Custom(torch.autograd.Function):
    """A function with the forward and the backward that it is given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forward: Any, backward: Any) -> Tensor:
        ctx.backward = backward
        ctx.save_for_backward(x)
        return forward(x).clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return ctx.backward(ctx.saved_tensors[0], g), None, None


def custom(
    x: Tensor, backward: Callable[[Tensor, Tensor], Tensor], forward: Any = torch.clone
) -> Tensor:
    return Custom.apply(x, forward, backward)


# --- Every way to run something in a backward pass, times every way to take a gradient there.

Action = Callable[[Tensor], Any]


def in_function(model: Any, x: Tensor, action: Action) -> Tensor:
    def backward(x: Tensor, g: Tensor) -> Tensor:
        action(x)
        return g

    return custom(model.caller(x), backward)


def in_tensor_hook(model: Any, x: Tensor, action: Action) -> Tensor:
    y = model.caller(x)
    y.register_hook(lambda g: (action(g), None)[1])
    return y


def in_node_hook(model: Any, x: Tensor, action: Action) -> Tensor:
    y = model.caller(x)
    y.grad_fn.register_prehook(lambda g: (action(g[0]), None)[1])
    return y


def in_accumulate_hook(model: Any, x: Tensor, action: Action) -> Tensor:
    model.caller.weight.register_post_accumulate_grad_hook(lambda p: (action(p.grad[:4]), None)[1])
    return model.caller(x)


def in_module_hook(model: Any, x: Tensor, action: Action) -> Tensor:
    model.caller.register_full_backward_hook(lambda module, gi, go: (action(go[0]), None)[1])
    return model.caller(x)


def in_unpack_hook(model: Any, x: Tensor, action: Action) -> Tensor:
    def unpack(saved: Tensor) -> Tensor:
        if saved.shape == (4, 8):
            action(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
        return model.caller(x)


def in_multi_hook(model: Any, x: Tensor, action: Action) -> Tensor:
    y = model.caller(x)
    torch.autograd.graph.register_multi_grad_hook((y, x), lambda grads: action(grads[0]))
    return y


HOSTS = [
    in_function,
    in_tensor_hook,
    in_node_hook,
    in_accumulate_hook,
    in_module_hook,
    in_unpack_hook,
    in_multi_hook,
]


def leaf(x: Tensor) -> Tensor:
    return x.detach().clone().requires_grad_()


def by_grad(net: nn.Module, x: Tensor) -> None:
    with torch.enable_grad():
        x = leaf(x)
        grad(net(x).sum(), x)


def by_grad_with_graph(net: nn.Module, x: Tensor) -> None:
    with torch.enable_grad():
        x = leaf(x)
        grad(net(x).sum(), x, create_graph=True)


def by_backward(net: nn.Module, x: Tensor) -> None:
    with torch.enable_grad():
        x = leaf(x)
        net(x).sum().backward(inputs=[x])


def by_func_vjp(net: nn.Module, x: Tensor) -> None:
    y, pull = torch.func.vjp(net, x.detach())
    pull(torch.ones_like(y))


def by_functional_vjp(net: nn.Module, x: Tensor) -> None:
    torch.autograd.functional.vjp(net, x.detach(), torch.ones(4, 8))


def by_func_grad(net: nn.Module, x: Tensor) -> None:
    torch.func.grad(lambda z: net(z).sum())(x.detach())


def by_a_module(net: nn.Module, x: Tensor) -> None:
    """A module that is not part of the model takes the gradient in its own forward."""
    Net(lambda self, x: by_grad(net, x))(x)


WAYS = [
    by_grad,
    by_grad_with_graph,
    by_backward,
    by_func_vjp,
    by_functional_vjp,
    by_func_grad,
    by_a_module,
]


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph")
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_gradient_taken_in_a_backward_is_a_backward_of_what_it_is_of(
    host: Any, way: Any, create_graph: bool
) -> None:
    net = nn.Sequential(linear(), nn.Tanh(), linear())
    model = Net(lambda m, x: host(m, x, partial(way, net)), caller=linear(), net=net)
    report = profiled(lambda: model(rows()).sum().backward(create_graph=create_graph), model)
    inner = {"recompute": B, "backward": B}  # the layer runs, and has one gradient, of its input
    assert places(report) == {
        "caller": {"forward": B, "backward": 2 * B},
        "net.0": inner,
        "net.2": inner,
    }


@pytest.mark.parametrize("inner", HOSTS)
@pytest.mark.parametrize("outer", HOSTS)
def test_a_backward_that_a_backward_runs_may_run_another(outer: Any, inner: Any) -> None:
    net = linear()
    middle = Net(lambda m, x: inner(m, x, partial(by_grad, net)), caller=linear())

    def train(x: Tensor) -> None:
        with torch.enable_grad():
            middle(leaf(x)).sum().backward()

    model = Net(lambda m, x: outer(m, x, train), caller=linear(), middle=middle, net=net)
    assert places(profiled(step(model), model)) == {
        "caller": {"forward": B, "backward": 2 * B},
        "middle.caller": {"recompute": B, "backward": 2 * B},
        "net": {"recompute": B, "backward": B},
    }


TRANSFORMS: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "jacrev": lambda net, x: torch.func.jacrev(net)(x[0]),
    "jvp": lambda net, x: torch.func.jvp(net, (x,), (x,)),
    "vmap of grad": lambda net, x: torch.func.vmap(torch.func.grad(lambda z: net(z).sum()))(x),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_in_a_backward_are_those_outside_run_again(transform: str) -> None:
    net = nn.Sequential(linear(), nn.Tanh(), linear())
    run = TRANSFORMS[transform]
    outside = places(profiled(lambda: run(net, torch.rand(4, 8)), net))
    assert outside["0"]["forward"] > 0
    model = Net(
        lambda m, x: in_function(m, x, lambda x: run(net, x.detach())), caller=linear(), net=net
    )
    inside = places(profiled(step(model), model))
    assert inside.pop("caller") == {"forward": B, "backward": 2 * B}
    renamed = {
        f"net.{name}": {
            "recompute" if phase == "forward" else phase: macs for phase, macs in parts.items()
        }
        for name, parts in outside.items()
    }
    assert inside == renamed


@pytest.mark.parametrize("way", WAYS)
def test_twice_in_one_backward_is_double(way: Any) -> None:
    net = linear()
    model = Net(
        lambda m, x: in_tensor_hook(m, x, lambda g: (way(net, g), way(net, g))),
        caller=linear(),
        net=net,
    )
    expected = {
        "caller": {"forward": B, "backward": 2 * B},
        "net": {"recompute": 2 * B, "backward": 2 * B},
    }
    assert places(profiled(step(model), model)) == expected


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("grads", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_a_module_run_in_a_backward_without_a_gradient_is_recompute(host: Any, grads: Any) -> None:
    def look(x: Tensor) -> None:
        with grads():
            model.net(x.detach().clone())

    model = Net(lambda m, x: host(m, x, look), caller=linear(), net=linear())
    assert places(profiled(step(model), model)) == {
        "caller": {"forward": B, "backward": 2 * B},
        "net": {"recompute": B},
    }


def test_a_graph_made_in_a_backward_may_be_used_after_it() -> None:
    kept: list[Tensor] = []

    def keep(x: Tensor) -> None:
        with torch.enable_grad():
            kept.append(model.net(leaf(x)))

    model = Net(lambda m, x: in_tensor_hook(m, x, keep), caller=linear(), net=linear())

    def run() -> None:
        step(model)()
        kept[0].sum().backward()

    assert places(profiled(run, model)) == {
        "caller": {"forward": B, "backward": 2 * B},
        "net": {"recompute": B, "backward": 2 * B},
    }


# --- Custom functions, as adjoint solvers and reversible networks write them.


def again(net: Callable[[Tensor], Tensor], *weights: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """A backward that runs `net` again and has autograd take its gradients, of its input and of `weights`."""

    def backward(x: Tensor, g: Tensor) -> Tensor:
        with torch.enable_grad():
            x = leaf(x)
            return grad(net(x), [x, *weights], g)[0]

    return backward


def by_backward_inside(net: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def backward(x: Tensor, g: Tensor) -> Tensor:
        with torch.enable_grad():
            x = leaf(x)
            net(x).backward(g)
        return x.grad

    return backward


def test_a_vjp_of_a_module() -> None:
    net = linear()
    report = profiled(lambda: custom(rows(), again(net), net).sum().backward(), net)
    assert places(report) == {"": {"forward": B, "recompute": B, "backward": B}}
    report = profiled(lambda: custom(rows(), again(net, net.weight), net).sum().backward(), net)
    assert places(report) == {"": {"forward": B, "recompute": B, "backward": 2 * B}}
    report = profiled(lambda: custom(rows(), lambda x, g: net(g), net).sum().backward(), net)
    assert places(report) == {"": {"forward": B, "recompute": B}}


def test_a_reversible_block() -> None:
    model = Net(
        lambda m, x: m.head(custom(x, by_backward_inside(m.f), m.f)), f=linear(), head=linear()
    )
    assert places(profiled(step(model), model)) == {
        "f": {"forward": B, "recompute": B, "backward": 2 * B},
        "head": {"forward": B, "backward": 2 * B},
    }


def test_a_vjp_without_modules() -> None:
    w = nn.Parameter(torch.rand(8, 8))

    def product(x: Tensor) -> Tensor:
        return x @ w

    # What the backward itself multiplies is backward, and not the gradient of a gradient, whether or not it builds a graph.
    model = Net(lambda m, x: custom(x, lambda x, g: g @ w.t(), product))
    assert places(profiled(step(model), model)) == {"": {"forward": B, "backward": B}}
    model = Net(lambda m, x: custom(x, again(product), product))
    assert places(profiled(step(model), model)) == {
        "": {"forward": B, "backward": 2 * B}
    }  # the product again, and dx
    between = Net(lambda m, x: m.b(custom(m.a(x), again(product), product)), a=linear(), b=linear())
    layer = {"forward": B, "backward": 2 * B}
    assert places(profiled(step(between), between)) == {
        "": {"forward": B, "backward": 2 * B},
        "a": layer,
        "b": layer,
    }


def test_what_a_callers_method_runs_belongs_to_the_children() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        return m.b(m.a(x))

    def forward(m: Any, x: Tensor) -> Tensor:
        inner = partial(body, m)
        return custom(x, again(inner, m.a.weight, m.b.weight), inner)

    model = Net(forward, a=linear(), b=linear())
    layer = {"forward": B, "recompute": B, "backward": 2 * B}
    assert places(profiled(step(model), model)) == {"a": layer, "b": layer}


def test_a_module_that_takes_a_vjp_and_is_called_in_a_backward() -> None:
    def adjoint(m: Any, x: Tensor, g: Tensor) -> Tensor:
        return again(lambda z: m.b(m.a(z)))(x, g)

    model = Net(adjoint, a=linear(), b=linear())
    layer = {"recompute": B, "backward": B}
    report = profiled(lambda: custom(rows(), model).sum().backward(), model)
    assert places(report) == {"a": layer, "b": layer}
    layer = {"recompute": 2 * B, "backward": 2 * B}
    report = profiled(
        lambda: custom(rows(), lambda x, g: model(model(x, g), g)).sum().backward(), model
    )
    assert places(report) == {"a": layer, "b": layer}


def test_a_backward_in_a_backward_in_a_backward() -> None:
    b = linear()
    inner = Net(lambda m, x: custom(m.a(x), again(b), b), a=linear(), b=b)
    # Outermost: b again and a again; then, as b is itself a custom function, b once more for its gradient.
    report = profiled(lambda: custom(rows(), again(inner), inner).sum().backward(), inner)
    assert places(report) == {
        "a": {"forward": B, "recompute": B, "backward": B},
        "b": {"forward": B, "recompute": 2 * B, "backward": B},
    }


def test_one_module_with_two_callers() -> None:
    shared = linear()

    def forward(m: Any, x: Tensor) -> Tensor:
        return custom(x, again(m.shared), m.shared)

    model = nn.Sequential(Net(forward, shared=shared), Net(forward, shared=shared))
    assert places(profiled(step(model), model)) == {
        "0.shared": {"forward": 2 * B, "recompute": 2 * B, "backward": 2 * B}
    }


def test_training_inside_a_backward() -> None:
    net = linear()

    def train(x: Tensor, g: Tensor) -> Tensor:
        with torch.enable_grad():
            for _ in range(2):
                net(x.detach()).sum().backward()  # the gradient of the weight alone
        return g

    report = profiled(lambda: custom(rows(), train).sum().backward(), net)
    assert places(report) == {"": {"recompute": 2 * B, "backward": 2 * B}}


# --- Checkpoints


def vjp_then_layer(m: Any, x: Tensor) -> Tensor:
    with torch.enable_grad():
        z = x.detach().requires_grad_()
        g = grad(m.l(z).sum(), z)[0]
    return m.o(x + g).sin()


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_vjp_in_a_checkpointed_module(reentrant: bool) -> None:
    model = Net(vjp_then_layer, l=linear(), o=linear())
    run = lambda: checkpoint(model, rows(), use_reentrant=reentrant).sum().backward()  # noqa: E731
    assert places(profiled(run, model)) == {
        "l": {
            "forward": B,
            "recompute": B,
            "backward": 2 * B,
        },  # its gradient is taken in the forward, and again
        "o": {"forward": B, "recompute": B, "backward": 2 * B},
    }


def test_a_func_vjp_in_a_checkpointed_module() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y, pull = torch.func.vjp(m.l, x)
        return m.o(pull(y)[0])

    model = Net(forward, l=linear(), o=linear())
    run = lambda: checkpoint(model, rows(), use_reentrant=True).sum().backward()  # noqa: E731
    assert places(profiled(run, model)) == {
        # pull is y @ W, in the forward and again; its two gradients are double backward; then y's own two.
        "l": {"forward": B, "recompute": B, "backward": 2 * B + 2 * B, "double backward": 2 * B},
        "o": {"forward": B, "recompute": B, "backward": 2 * B},
    }
    assert places(profiled(step(model), model)) == {
        "l": {"forward": B, "backward": B + 2 * B, "double backward": 2 * B},
        "o": {"forward": B, "backward": 2 * B},
    }


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_gradient_with_a_graph_in_a_checkpointed_module(reentrant: bool) -> None:
    def inner(m: Any, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.requires_grad_()
            y = m.l(x)
            return y + grad(y.sum(), x, create_graph=True)[0]

    v = Net(inner, l=linear())
    model = Net(lambda m, x: m.o(checkpoint(m.v, x, use_reentrant=reentrant)), v=v, o=linear())
    # The gradient of the sum is ones @ W: only W's gradient of it is taken. Without reentry, the checkpoint stops before
    # that product, whose operands are all it needs.
    inside = B if reentrant else 0
    assert places(profiled(step(model), model)) == {
        "v.l": {"forward": B, "recompute": B, "backward": B + inside + 2 * B, "double backward": B},
        "o": {"forward": B, "backward": 2 * B},
    }


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_in_a_module_that_a_backward_runs(reentrant: bool) -> None:
    net = Net(lambda m, x: checkpoint(m.l, x, use_reentrant=reentrant).sin(), l=linear())
    # A reentrant checkpoint only allows .backward(), which takes the weight's gradient too. The other kind stops before
    # the product, whose operands are all that it needs.
    inside = by_backward_inside(net) if reentrant else again(net)
    report = profiled(lambda: custom(rows(), inside, net).sum().backward(), net)
    once = {"forward": B, "recompute": B, "backward": B}
    assert places(report) == {
        "l": {"forward": B, "recompute": 2 * B, "backward": 2 * B} if reentrant else once
    }


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_in_checkpoints_with_modules_and_functions(reentrant: bool) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        def inner(x: Tensor) -> Tensor:
            return m.a(x).sin()

        return checkpoint(
            lambda x: m.b(checkpoint(inner, x, use_reentrant=reentrant)).sin(),
            x,
            use_reentrant=reentrant,
        )

    model = Net(forward, a=linear(), b=linear())
    assert places(profiled(step(model), model)) == {
        "a": {"forward": B, "recompute": 2 * B, "backward": 2 * B},
        "b": {"forward": B, "recompute": B, "backward": 2 * B},
    }


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_around_a_hook_that_takes_a_gradient(reentrant: bool) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        if y.requires_grad:
            y.register_hook(lambda g: (by_grad(m.b, g), None)[1])
        return y.sin()

    model = Net(forward, a=linear(), b=linear())
    run = lambda: checkpoint(model, rows(), use_reentrant=reentrant).sum().backward()  # noqa: E731
    assert places(profiled(run, model)) == {
        "a": {"forward": B, "recompute": B, "backward": 2 * B},
        "b": {"recompute": B, "backward": B},
    }


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_of_plain_products(reentrant: bool) -> None:
    w = nn.Parameter(torch.rand(8, 8))
    inner = Net(lambda m, x: checkpoint(lambda x: (x @ w).sin() @ w, x, use_reentrant=reentrant))
    model = nn.Sequential(linear(), inner)
    # Without reentry the checkpoint stops before the last product.
    recompute = 2 * B if reentrant else B
    assert places(profiled(step(model), model)) == {
        "0": {"forward": B, "backward": 2 * B},
        "1": {"forward": 2 * B, "recompute": recompute, "backward": 4 * B},
    }


def test_a_checkpoint_of_one_convolution() -> None:
    w = nn.Parameter(torch.rand(8, 8, 1, 1))
    inner = Net(lambda m, x: checkpoint(lambda x: torch.conv2d(x, w), x, use_reentrant=True))
    model = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), inner)
    report = profiled(
        lambda: model(torch.rand(4, 8, 1, 1, requires_grad=True)).sum().backward(), model
    )
    assert places(report) == {
        "0": {"forward": B, "backward": 2 * B},
        "1": {"forward": B, "recompute": B, "backward": 2 * B},
    }


def test_a_selective_checkpoint_runs_no_product_again() -> None:
    model = nn.Sequential(linear(), nn.Sigmoid(), linear(), nn.Sigmoid())
    keep = partial(create_selective_checkpoint_contexts, [torch.ops.aten.mm.default])
    run = lambda: checkpoint(model, rows(), use_reentrant=False, context_fn=keep).sum().backward()  # noqa: E731
    layer = {"forward": B, "backward": 2 * B}
    assert places(profiled(run, model)) == {"0": layer, "2": layer}


# --- Gradients of gradients


def penalty(model: nn.Module, x: Tensor) -> None:
    (g,) = grad(model(x).sum(), x, create_graph=True)
    g.pow(2).sum().backward()


def test_a_gradient_penalty() -> None:
    model = nn.Sequential(linear(), nn.Tanh(), linear())
    # g = (1 @ W2 · tanh'(y)) @ W1. Of it: two gradients of the product with W1, one of that with W2 (1 needs none), and
    # through tanh' the two of y = x @ W1.
    assert places(profiled(lambda: penalty(model, rows()), model)) == {
        "0": {"forward": B, "backward": B + 2 * B, "double backward": 2 * B},
        "2": {"forward": B, "backward": B, "double backward": B},
    }


def test_a_gradient_penalty_without_modules() -> None:
    w = nn.Parameter(torch.rand(8, 8))
    model = Net(lambda m, x: (x @ w).sin())
    # g = cos(y) @ W: two gradients of it; through cos the two of y = x @ W.
    assert places(profiled(lambda: penalty(model, rows()), model)) == {
        "": {"forward": B, "backward": B + 2 * B, "double backward": 2 * B}
    }


def test_a_backward_formula_that_is_one_convolution() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.Conv2d(8, 8, 1, bias=False))
    run = lambda: penalty(model, torch.rand(4, 8, 1, 1, requires_grad=True))  # noqa: E731
    # Each double backward of a convolution is two convolutions. No autograd node is left to the one marked before.
    layer = {"forward": B, "backward": B, "double backward": 2 * B}
    assert places(profiled(run, model)) == {"0": layer, "1": layer}


def test_a_backward_formula_that_is_one_product_of_elements() -> None:
    def gate() -> nn.Module:
        gate = Net(lambda m, x: x * m.w)
        gate.w = nn.Parameter(torch.rand(4, 8))
        return gate

    model = nn.Sequential(gate(), gate())

    def run() -> None:
        x = rows()
        (g,) = grad(model(x).sum(), x, create_graph=True)
        g.sum().backward()

    report = profiled(run, model)
    assert places(report) == {}
    own = {name: row.self_.arithmetic for name, row in report.by_module().items()}
    # 32 elements a product: x·w, then g·w; g = (1·w2)·w1 has two gradients of the outer product, one of the inner.
    assert own["0"] == 32 + 32 + 2 * 32
    assert own["1"] == 32 + 32 + 32
    assert report.by_phase()["double backward"].arithmetic == 3 * 32


def test_a_gradient_with_a_graph_in_a_custom_backward() -> None:
    net = linear()

    def backward(x: Tensor, g: Tensor) -> Tensor:
        with torch.enable_grad():
            return grad(net(x), x, g, create_graph=True)[0]

    def run() -> None:
        x = rows()
        (gx,) = grad(custom(x, backward, net).pow(2).sum(), x, create_graph=True)
        gx.pow(2).sum().backward()

    # The first pass runs the net again and takes dx = g @ W. The second has the two gradients of that product, and goes
    # through g to the custom function once more: net again, dx again.
    assert places(profiled(run, net)) == {
        "": {"forward": B, "recompute": 2 * B, "backward": 2 * B, "double backward": 2 * B}
    }


def test_a_pass_repeated_over_a_kept_graph() -> None:
    net = linear()

    def run() -> None:
        loss = net(rows()).sum()
        loss.backward(retain_graph=True)
        loss.backward()

    assert places(profiled(run, net)) == {"": {"forward": B, "backward": 2 * 2 * B}}


# --- Deep-equilibrium layers: a hook on the fixed point solves for the gradient.


@pytest.mark.parametrize("graph", ["kept", "made anew"])
def test_a_deep_equilibrium_layer(graph: str) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            z = torch.zeros_like(x)
            for _ in range(3):
                z = torch.tanh(m.f(z) + x)
        z = torch.tanh(m.f(z) + x)
        z0 = leaf(z)
        f0 = torch.tanh(m.f(z0) + x.detach()) if graph == "kept" else None

        def solve(g: Tensor) -> Tensor:
            y = g
            for _ in range(3):
                if f0 is not None:
                    y = grad(f0, z0, y, retain_graph=True)[0] + g
                else:
                    with torch.enable_grad():
                        y = grad(torch.tanh(m.f(z0) + x.detach()), z0, y)[0] + g
            return y

        z.register_hook(solve)
        return m.o(z)

    model = Net(forward, f=linear(), o=linear())
    # f: 3 steps and one with a graph; the solver has 3 gradients of z; at last that of the weight (z needs none).
    kept = {"forward": 3 * B + B + B, "backward": 3 * B + B}
    anew = {"forward": 3 * B + B, "recompute": 3 * B, "backward": 3 * B + B}
    report = profiled(lambda: model(torch.rand(4, 8)).sum().backward(), model)
    assert places(report) == {
        "f": kept if graph == "kept" else anew,
        "o": {"forward": B, "backward": 2 * B},
    }


# --- Optimizers


OPTIMIZERS = [
    torch.optim.SGD,
    partial(torch.optim.SGD, momentum=0.9),
    partial(torch.optim.Adam, foreach=True),
    partial(torch.optim.AdamW, foreach=False),
]


def a_step(make: Any) -> torch.optim.Optimizer:
    """An optimizer of an 8×8 weight whose gradient is there already."""
    w = nn.Parameter(torch.rand(8, 8))
    w.grad = torch.ones(8, 8)
    return make([w], lr=0.1)


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_step_taken_in_a_backward_is_the_step_taken_outside(host: Any, make: Any) -> None:
    outside = profiled(a_step(make).step).by_phase()
    optimizer = a_step(make)
    model = Net(lambda m, x: host(m, x, lambda _: optimizer.step()), caller=linear())
    report = profiled(step(model), model)
    assert report.by_phase()["optimizer"] == outside["optimizer"]
    if make is torch.optim.SGD:
        assert outside["optimizer"].arithmetic == 64 + 64  # p + lr·g for each of 8·8
    assert places(report) == {"caller": {"forward": B, "backward": 2 * B}}


def test_optimizer_in_backward_over_several_steps() -> None:
    model = nn.Sequential(linear(), linear())
    for layer in model:
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        layer.weight.register_post_accumulate_grad_hook(
            lambda p, o=optimizer: (o.step(), o.zero_grad())[1]
        )

    def run() -> None:
        for _ in range(3):
            step(model)()

    report = profiled(run, model)
    layer = {"forward": 3 * B, "backward": 3 * 2 * B}
    assert places(report) == {"0": layer, "1": layer}
    assert report.by_phase()["optimizer"].arithmetic == 3 * 2 * (64 + 64)
    assert report.by_phase()["backward"].arithmetic == 0


class Closures:
    """A loss as the kinds of things that Python can call: 4·8 squares, and as many elements summed."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.x, self.calls = model, rows().detach(), 0

    def loss(self, power: int = 2) -> Tensor:
        self.calls += 1
        self.model.zero_grad()
        loss = self.model(self.x).pow(power).sum()
        loss.backward()
        return loss

    __call__ = loss

    def function(self) -> Any:
        def closure() -> Tensor:
            return self.loss()

        return closure

    def decorated(self) -> Any:
        @wraps(self.loss)
        def closure(*args: Any) -> Tensor:
            return self.loss(*args)

        return closure


KINDS: dict[str, Callable[[Closures], Any]] = {
    "function": Closures.function,
    "lambda": lambda c: lambda: c.loss(),
    "bound method": lambda c: c.loss,
    "object": lambda c: c,
    "partial": lambda c: partial(c.loss, power=2),
    "partial of an object": lambda c: partial(partial(c), 2),
    "decorated": Closures.decorated,
    "as the optimizer's own step is decorated": lambda c: torch.enable_grad()(c.function()),
    "static method": lambda c: staticmethod(c.function()),
}


@pytest.mark.parametrize("keyword", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_closures_are_not_the_optimizer(kind: str, keyword: bool) -> None:
    given: list[Any] = []

    class Watched(torch.optim.LBFGS):
        def step(self, closure: Any) -> Any:
            given.append(closure)
            return super().step(closure)

    net = linear()
    closures = Closures(net)
    closure = KINDS[kind](closures)
    optimizer = Watched(net.parameters(), max_iter=3)
    run = partial(optimizer.step, closure=closure) if keyword else partial(optimizer.step, closure)
    report = profiled(run, net)
    assert len(given) == 1
    assert given[0] is closure
    # The input needs no gradient: a closure is one product and the weight's gradient.
    assert closures.calls > 1
    dots = sum(
        e.calls for e in report.entries if e.op == "aten.dot"
    )  # the optimizer's own, of 8·8 weights
    assert places(report) == {
        "": {"forward": closures.calls * B, "backward": closures.calls * B},
        "(no module)": {"optimizer": dots * 64},
    }
    ops = {phase: {e.op for e in report.entries if e.phase == phase} for phase in report.by_phase()}
    assert "aten.dot" in ops["optimizer"]
    assert "aten.dot" not in ops["forward"]
    assert "aten.pow" in ops["forward"]
    assert not {"aten.pow", "aten.mm"} & ops["optimizer"]
    # 32 squares and 32 elements summed a closure; nothing of the optimizer's own arithmetic.
    assert report.by_phase()["forward"].arithmetic == closures.calls * (32 + 32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_closure_evaluated_in_a_backward(kind: str) -> None:
    net = linear()
    closure = KINDS[kind](Closures(net))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    model = Net(
        lambda m, x: in_tensor_hook(m, x, lambda _: optimizer.step(closure)),
        caller=linear(),
        net=net,
    )
    report = profiled(step(model), model)
    assert places(report) == {
        "caller": {"forward": B, "backward": 2 * B},
        "net": {"recompute": B, "backward": B},
    }
    assert report.by_phase()["optimizer"].arithmetic == 64 + 64


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt])
@pytest.mark.parametrize("within", ["step", "closure"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_step_that_raises_is_over(inside: bool, within: str, error: Any) -> None:
    class Failing(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            super().step(closure)
            raise error

    def closure() -> None:
        net(rows().detach())
        raise error

    net = linear()
    optimizer = (
        Failing([net.weight], lr=0.1) if within == "step" else torch.optim.SGD([net.weight], lr=0.1)
    )
    net.weight.grad = torch.ones(8, 8)
    take = partial(optimizer.step, closure if within == "closure" else None)
    model = Net(lambda m, x: in_tensor_hook(m, x, lambda _: take()), caller=linear(), net=net)

    def run() -> None:
        with pytest.raises(error):
            step(model)() if inside else take()
        step(nn.Sequential(net))()
        torch.ones(4, 8) @ torch.ones(8, 8)

    report = profiled(run, model)
    # Nothing of the step with the error remains: after it come a forward, its gradients, and a product of no module.
    expected: Places = {"net": {"forward": B, "backward": 2 * B}, "(no module)": {"forward": B}}
    if inside:
        expected["caller"] = {"forward": B}  # the hook is called before its gradients are taken
    if within == "closure" and inside:
        expected["net"]["recompute"] = B
    elif within == "closure":
        expected["net"]["forward"] += B
    assert places(report) == expected
    work = report.by_phase().get("optimizer")
    assert (work.arithmetic if work else 0) == (64 + 64 if within == "step" else 0)


# --- Blocks and errors


def test_a_block_opened_in_a_backward_has_a_forward() -> None:
    net, found = linear(), []

    def train(x: Tensor, g: Tensor) -> Tensor:
        with torch.enable_grad():
            found.append(profiled(step(net), net))
        return g

    custom(rows(), train).sum().backward()
    assert places(found[0]) == {"": {"forward": B, "backward": 2 * B}}


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_block_in_a_backward_tells_its_own_passes(reentrant: bool) -> None:
    net, found = Net(vjp_then_layer, l=linear(), o=linear()), []

    def train(x: Tensor, g: Tensor) -> Tensor:
        with torch.enable_grad():
            run = lambda: checkpoint(net, rows(), use_reentrant=reentrant).sum().backward()  # noqa: E731
            found.append(profiled(run, net))
        return g

    custom(
        rows(), by_backward_inside(lambda z: custom(z, train))
    ).sum().backward()  # two passes deep
    layer = {"forward": B, "recompute": B, "backward": 2 * B}
    assert places(found[0]) == {"l": layer, "o": layer}


def test_a_block_in_a_backward_in_a_block() -> None:
    net, inner = linear(), []
    model = Net(
        lambda m, x: in_tensor_hook(m, x, lambda _: inner.append(profiled(work, net))),
        caller=linear(),
        net=net,
    )

    def work() -> None:
        with torch.enable_grad():
            step(net)()

    outer = profiled(step(model), model)
    assert places(inner[0]) == {"": {"forward": B, "backward": 2 * B}}
    assert places(outer) == {
        "caller": {"forward": B, "backward": 2 * B},
        "net": {"recompute": B, "backward": 2 * B},
    }


def raising(error: Any) -> Callable[..., Any]:
    def hook(*_: Any) -> None:
        raise error

    return hook


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["start", "module", "inner backward", "end"])
def test_an_error_in_a_nested_backward_leaves_nothing(at: str, error: Any) -> None:
    net = nn.Sequential(linear(), linear())

    def backward(x: Tensor, g: Tensor) -> Tensor:
        if at == "start":
            raise error
        with torch.enable_grad():
            x = leaf(x)
            handle = net[1].register_forward_pre_hook(raising(error)) if at == "module" else None
            try:
                y = net(x)
            finally:
                if handle is not None:
                    handle.remove()
            if at == "inner backward":
                x.register_hook(raising(error))
            grad(y, x, g)
        raise error

    def run() -> None:
        with suppress(error):
            custom(rows(), backward, net).sum().backward()
        step(net)()

    # Before the error: the forward; then what the backward got to run of each layer, and its gradient.
    first = {"recompute": B} if at != "start" else {}
    second = {"recompute": B} if at in ("inner backward", "end") else {}
    inner = B if at in ("inner backward", "end") else 0
    assert places(profiled(run, net)) == {
        "0": {"forward": 2 * B, **first, "backward": 2 * B + inner},
        "1": {"forward": 2 * B, **second, "backward": 2 * B + inner},
    }


def test_a_graph_of_another_thread_is_nobody_s() -> None:
    made: list[Tensor] = []
    model = Net(lambda m, x: m.a(x), a=linear(), b=linear())

    def run() -> None:
        for _ in range(3):
            model(rows())
        thread = threading.Thread(target=lambda: made.append(model.b(rows())))
        thread.start()
        thread.join()
        made[0].sum().backward()

    # Threads number their autograd nodes each on its own: the same numbers are not the same nodes.
    assert places(profiled(run, model)) == {
        "a": {"forward": 3 * B},
        "(no module)": {"backward": 2 * B},
    }

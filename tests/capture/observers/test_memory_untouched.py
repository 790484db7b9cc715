"""Following memory changes nothing, keeps nothing alive and leaves nothing behind."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from tests.follow import KB, READABLE, Stack, train
from tests.work import python_calls

pytestmark = pytest.mark.torch_alone


def outcome(memory: bool, time: bool, how: bool | None) -> list[Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(16, 16), nn.Dropout(0.5), Stack(how), nn.BatchNorm1d(16), nn.ReLU(inplace=True)
    )
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(8, 16, requires_grad=True)
    results = []
    with dc.profile(model, memory=memory, time=time):
        for _ in range(3):
            y = model(x)
            y.square().sum().backward()
            results += [
                y.detach().clone(),
                *(p.grad.clone() for p in model.parameters()),
                x.grad.clone(),
            ]
            optimizer.step()
            optimizer.zero_grad()
    return [*results, *model.state_dict().values(), torch.get_rng_state()]


@pytest.mark.parametrize("how", [None, True, False])
def test_outputs_gradients_and_state_are_the_same_bit_for_bit(how: bool | None) -> None:
    plain = outcome(False, False, how)
    observed = outcome(True, True, how)
    assert len(plain) == len(observed)
    assert all(torch.equal(a, b) for a, b in zip(plain, observed, strict=True))


def test_a_saved_tensor_changed_in_place_is_still_an_error() -> None:
    w = torch.ones(3, requires_grad=True)
    with dc.profile(memory=True) as prof:
        y = w.exp()
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    assert prof.report.memory is not None


def hooks() -> list[int]:
    module, optimizer = nn.modules.module, sys.modules[torch.optim.Optimizer.__module__]
    return [
        len(value)
        for owner in (module, optimizer)
        for name, value in vars(owner).items()
        if name.startswith("_global_") and isinstance(value, dict)
    ]


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_nothing_is_left(error: type[BaseException] | None) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    before, stored = hooks(), {name: set(module.__dict__) for name, module in model.named_modules()}
    kept = []
    prof = dc.profile(model, memory=True, time=True)
    with nullcontext() if error is None else pytest.raises(error), prof:
        kept += [model(torch.ones(5, 8)).sum(), model(torch.ones(5, 8)).sum()]
        kept[0].backward()
        if error is not None:
            raise error("stop")
    assert hooks() == before
    assert {name: set(module.__dict__) for name, module in model.named_modules()} == stored
    memory = prof.report.memory
    waiting = [loss.grad_fn for loss in kept]
    while waiting:
        node = waiting.pop()
        assert node.metadata == {}
        waiting += [below for below, _ in node.next_functions if below is not None]
    reference = weakref.ref(model)
    del model, kept, node, prof
    gc.collect()
    assert reference() is None
    assert memory is not None
    assert memory.parameters == (8 * 16 + 16 + 16 * 4 + 4) * 4


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 2


def backward(loss: Tensor, **options: Any) -> Tensor:
    loss.backward(**options)
    return loss


def gradient_of(y: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def changed_in_part(y: Tensor) -> Tensor:
    y = y.clone()
    y[:, 0].mul_(3)
    return y


KEPT: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "a result": lambda m, x: m(x),
    "a loss": lambda m, x: m(x).sum(),
    "a loss that ran backward": lambda m, x: backward(m(x).sum()),
    "one that kept its graph": lambda m, x: backward(m(x).sum(), retain_graph=True),
    "a result whose loss ran": lambda m, x: [y := m(x), backward((y * 2).sum())][:1],
    "a hidden one": lambda m, x: [h := m[0](x), m[1:](h).sum()][:1],
    "a view": lambda m, x: m(x)[:, 0],
    "a view of a view": lambda m, x: m(x)[:, 0].view(-1, 1).T,
    "one of several": lambda m, x: m(x).split(2, 1)[1],
    "many": lambda m, x: {"all": [m(x) for _ in range(5)]},
    "what was changed in place": lambda m, x: m(x).exp().mul_(2).relu_(),
    "what was changed in part": lambda m, x: changed_in_part(m(x)),
    "a function's": lambda m, x: Doubled.apply(m(x)),
    "a gradient's": lambda m, x: gradient_of(m(x), x).square().sum(),
    "checkpointed": lambda m, x: [checkpoint(m, x, use_reentrant=how) for how in (True, False)],
    "nothing": lambda m, x: m(x).sum().item(),
}


@pytest.mark.parametrize("what", KEPT)
def test_graphs_that_live_on_are_clean_and_no_heap_was_searched_for_them(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many objects a process has: closing looks at the graph alone."""
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    searches: list[Any] = []
    monkeypatch.setattr(gc, "get_referrers", searches.append)
    monkeypatch.setattr(gc, "get_objects", searches.append)
    with dc.profile(model, memory=True):
        kept = KEPT[what](model, torch.randn(5, 8, requires_grad=True))
    assert searches == []
    assert_clean(t.grad_fn for t in torch.utils._pytree.tree_leaves(kept) if isinstance(t, Tensor))


def test_a_graph_that_no_tensor_leads_to_is_clean_too() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    with dc.profile(model, memory=True):
        node = model(torch.randn(5, 8)).sum().grad_fn
    assert_clean([node])


def test_what_users_leave_in_nodes_stays() -> None:
    with dc.profile(memory=True):
        y = torch.ones(3, requires_grad=True).exp()
        y.grad_fn.metadata["mine"] = 3  # type: ignore[union-attr]
        loss = y.sum()
        loss.backward()
    assert y.grad_fn.metadata == {"mine": 3}  # type: ignore[union-attr]


def assert_clean(nodes: Iterable[Any]) -> None:
    waiting, seen = list(nodes), set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            assert node.metadata == {}
            waiting += [below for below, _ in node.next_functions]


@pytest.mark.parametrize("how", ["cyclic", "huge", "lazy"])
def test_results_of_modules_are_not_walked_into_the_user(how: str) -> None:
    class Lazy(dict[str, Any]):
        def __iter__(self) -> Any:
            raise AssertionError

        items = values = keys = __len__ = __iter__

    cyclic: list[Any] = []
    cyclic.append({"again": cyclic})
    result: Any = {"cyclic": cyclic, "huge": list(range(100_000)), "lazy": Lazy(a=1)}[how]

    class Returns(nn.Module):
        def __init__(self, result: Any) -> None:
            super().__init__()
            self.result = (result,)

        def forward(self, x: Tensor) -> Any:
            return x.exp(), self.result[0]

    def calls(model: nn.Module) -> int:
        x = torch.ones(256, requires_grad=True)
        for _ in range(2):  # what the process learns of an operator once is not what this counts
            with dc.profile(model, memory=True) as prof:
                count = python_calls(lambda: model(x))
        memory = prof.report.memory
        assert memory is not None
        assert memory.saved == KB * READABLE  # what exp saves is its result
        return count

    # How many calls there are in all depends on the frames above, if FSDP is loaded.
    assert calls(Returns(result)) < calls(Returns(None)) + 60


def test_no_tensor_lives_longer_inside_the_block() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    with dc.profile(model, memory=True, time=True):
        x = torch.ones(5, 8)
        y = model(x)
        references = [StorageWeakRef(t.untyped_storage()) for t in (x, y)]
        hidden = StorageWeakRef(y.grad_fn._saved_mat1.untyped_storage())
        gc.disable()
        try:
            del x, y
            assert all(reference.expired() for reference in (*references, hidden))
        finally:
            gc.enable()


def test_tensors_can_be_swapped() -> None:
    model = nn.Linear(4, 4)
    old = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with dc.profile(model, memory=True):
            model.double()
    finally:
        torch.__future__.set_swap_module_params_on_conversion(old)
    assert model.weight.dtype == torch.float64


def test_two_blocks_can_be_open_at_once() -> None:
    model, x = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), torch.randn(5, 8)

    def both(memory: bool) -> tuple[dc.Report, dc.Report]:
        model.zero_grad()
        with dc.profile(model, memory=memory) as outer, dc.profile(model, memory=memory) as inner:
            train(model, x)
        return outer.report, inner.report

    for report, without in zip(both(True), both(False), strict=True):
        assert report.memory is not None
        assert report.memory.saved == (5 * 8 + 5 * 16) * 4 * READABLE
        assert report.by_operator() == without.by_operator()  # neither sees the other at work


def test_modes_and_subclasses_of_the_user_see_nothing_of_it() -> None:
    from torch.overrides import TorchFunctionMode

    class Log(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.names.append(getattr(func, "__name__", str(func)))
            return func(*args, **(kwargs or {}))

    def names(memory: bool) -> list[str]:
        model, log = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), Log()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with log, dc.profile(model, memory=memory):
            train(model, torch.ones(5, 8), optimizer)
        return log.names

    assert names(True) == names(False)


def test_memory_is_bounded_however_long_the_block() -> None:
    w = torch.ones(4, requires_grad=True)
    with dc.profile(memory=True) as prof:
        watch = prof._session._memory
        for _ in range(300):
            (w.exp() * 2).sum().backward()
        assert len(watch._live._known) < 20
        assert len(watch._saved._holds) < 20
    assert prof.report.memory is not None
    assert prof.report.memory.peak < 200

"""Following memory changes nothing, keeps nothing alive and leaves nothing behind."""

from __future__ import annotations

import gc
import sys
import weakref
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

import dispatchcount as dc
from tests.follow import READABLE, Stack, train


def outcome(memory: bool, time: bool, how: bool | None) -> list[Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5), Stack(how), nn.BatchNorm1d(16), nn.ReLU(inplace=True))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(8, 16, requires_grad=True)
    results = []
    with dc.profile(model, memory=memory, time=time):
        for _ in range(3):
            y = model(x)
            y.square().sum().backward()
            results += [y.detach().clone(), *(p.grad.clone() for p in model.parameters()), x.grad.clone()]
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

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
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

"""Each look at Python's stack finds the code that it leans on, in a real run of torch.

A test here that fails with a new torch says which code torch has moved.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_module_registration_hook,
)
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.capture import frames
from dispatchcount.capture.torch_private import current_node

pytestmark = pytest.mark.torch_alone


class Asks(nn.Module):
    """Asks a question in its forward, and calls another module if it has one."""

    def __init__(self, ask: Callable[[], Any], part: nn.Module | None = None) -> None:
        super().__init__()
        self.ask, self.part, self.answers = ask, part, []

    def forward(self, x: Tensor, *, scale: int = 1) -> Tensor:
        self.answers.append(self.ask())
        return x.sin() * scale if self.part is None else self.part(x)


X = torch.ones(2)


# Modules


def test_module_calls_on_the_stack() -> None:
    inner = Asks(frames.module_calls)
    outer = Asks(frames.module_calls, nn.Sequential(inner))
    assert frames.module_calls() == 0
    outer(X)
    assert outer.answers == [1]
    assert inner.answers == [3]  # `outer`, the Sequential and itself


def test_module_calls_with_hooks_on_the_modules() -> None:
    inner = Asks(frames.module_calls)
    inner.register_forward_pre_hook(lambda *_: None)
    inner(X)
    assert inner.answers == [1]


@pytest.mark.parametrize("with_kwargs", [False, True])
def test_kwargs_that_hooks_are_not_given(with_kwargs: bool) -> None:
    """Global hooks get none. A hook of the module's own, with or without them, changes nothing."""
    found: list[dict[str, Any]] = []
    module = Asks(int)
    module.register_forward_pre_hook(lambda *_: None, with_kwargs=with_kwargs)
    hooks = (
        register_module_forward_pre_hook(lambda *_: found.append(frames.call_kwargs())),
        register_module_forward_hook(lambda *_: found.append(frames.call_kwargs())),
    )
    try:
        module(X, scale=3)
        module(X)
    finally:
        for hook in hooks:
            hook.remove()
    assert found == [{"scale": 3}, {"scale": 3}, {}, {}]


def test_kwargs_are_found_from_a_function_that_the_hook_calls() -> None:
    found: list[dict[str, Any]] = []

    def further() -> dict[str, Any]:
        return frames.call_kwargs()

    hook = register_module_forward_pre_hook(lambda *_: found.append(further()))
    try:
        Asks(int)(X, scale=3)
    finally:
        hook.remove()
    assert found == [{"scale": 3}]


def test_no_module_call_no_kwargs() -> None:
    assert frames.call_kwargs() == {}


@pytest.mark.parametrize("hooked", [False, True])
def test_the_innermost_module_that_an_error_came_out_of(hooked: bool) -> None:
    def fail() -> None:
        raise ValueError("no")

    inner = Asks(fail)
    if hooked:
        inner.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match="no") as caught:
        Asks(int, inner)(X)
    assert frames.innermost_module(caught.value) is inner
    assert frames.innermost_module(ValueError("raised nowhere")) is None


# Checkpoints


def test_a_checkpoint_without_reentry_runs_its_function_again() -> None:
    model = Asks(frames.in_checkpoint)
    x = torch.ones(2, requires_grad=True)
    checkpoint(model, x, use_reentrant=False).sum().backward()
    assert model.answers == [False, True]


def test_a_checkpoint_with_reentry_is_known_by_its_autograd_node() -> None:
    """It is an autograd function, which runs its own function in its backward."""
    model = Asks(lambda: getattr(type(current_node()), "_forward_cls", None))
    x = torch.ones(2, requires_grad=True)
    checkpoint(model, x, use_reentrant=True).sum().backward()
    assert model.answers == [None, torch.utils.checkpoint.CheckpointFunction]


def test_a_backward_pass_inside_a_checkpoint_is_not_its_function() -> None:
    answers: list[bool] = []

    def run(x: Tensor) -> Tensor:
        inner = x.detach().requires_grad_()
        y = inner * 2
        y.register_hook(lambda _: answers.append(frames.in_checkpoint()))
        y.sum().backward()
        answers.append(frames.in_checkpoint())
        return x * inner.grad

    x = torch.ones(2, requires_grad=True)
    checkpoint(run, x, use_reentrant=False).sum().backward()
    assert answers == [False, False, False, True]  # the first time; when it is run again


# Optimizer steps


class Plain(torch.optim.Optimizer):
    """An optimizer of the user's, without a decorator on its step."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return closure() if closure else None


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.LBFGS, Plain])
def test_steps_and_their_closures(kind: type[torch.optim.Optimizer]) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = kind([weight])
    answers: list[tuple[bool, bool, bool]] = []

    def closure() -> Tensor:
        answers.append(
            (
                frames.in_optimizer_step(),
                frames.runs_in_step(closure),
                frames.runs_in_step(other),
            )
        )
        loss = (weight * weight).sum()
        optimizer.zero_grad()
        loss.backward()
        return loss

    def other() -> None:
        pass

    assert not frames.in_optimizer_step()
    optimizer.step(closure)
    closure()
    assert answers[0] == (True, True, False)
    # Outside of a step the search ends nowhere: whether one runs is asked before.
    assert answers[-1] == (False, True, False)


def test_functions_of_one_decorator_are_told_apart() -> None:
    """`torch.enable_grad` gives both the same code, with another function inside."""
    optimizer = Plain([nn.Parameter(torch.ones(2))])
    answers: list[tuple[bool, bool]] = []

    @torch.enable_grad()
    def closure() -> None:
        answers.append((frames.runs_in_step(closure), frames.runs_in_step(other)))

    @torch.enable_grad()
    def other() -> None:
        pass

    assert closure.__code__ is other.__code__
    optimizer.step(closure)
    assert answers == [(True, False)]


def test_a_step_inside_a_closure_is_the_innermost() -> None:
    outer, inner = (Plain([nn.Parameter(torch.ones(2))]) for _ in range(2))
    answers: list[bool] = []

    def closure() -> None:
        inner.step(lambda: answers.append(frames.runs_in_step(closure)))

    outer.step(closure)
    assert answers == [False]


# Exports


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("export", ["torch.export", "torch._dynamo.export"])
def test_the_compiler_reads_a_model(export: str) -> None:
    """Asked where `exporting` asks: where torch puts the model into a module of its own."""
    answers: list[bool] = []
    model = nn.Linear(2, 2)

    def registered(_: nn.Module, name: str, part: nn.Module) -> None:
        if part is model:
            answers.append(frames.in_compiler_export(get_ident()))

    hook = register_module_module_registration_hook(registered)
    try:
        nn.Sequential(model)
        assert answers == [False]
        if export == "torch.export":
            torch.export.export(model, (X,), strict=True)
        else:
            torch._dynamo.export(model)(X)
    finally:
        hook.remove()
    assert answers[1:]
    assert any(answers[1:])
    assert not frames.in_compiler_export(get_ident())
    assert not frames.in_compiler_export(-1)  # no such thread


# Custom autograd functions


class Doubles(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *rest: Tensor) -> Tensor:
        RUNNING.append(found())
        return x * 2


class Without(torch.autograd.Function):
    """Its forward takes no context."""

    @staticmethod
    def forward(x: Tensor, factor: int) -> Tensor:
        RUNNING.append(found())
        return Doubles.apply(x) if factor else x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass


RUNNING: list[tuple[type, list[Any]] | None] = []


def found() -> tuple[type, list[Any]] | None:
    running = frames.running_forward(start.__code__)
    return None if running is None else (running[1], frames.forward_arguments(running[0]))


def start(run: Callable[[], Any]) -> list[tuple[type, list[Any]] | None]:
    RUNNING.clear()
    run()
    return RUNNING


def test_forwards_of_custom_functions() -> None:
    y = torch.ones(3)
    assert start(lambda: Doubles.apply(X)) == [(Doubles, [X])]
    [running] = start(lambda: Doubles.apply(X, y, y))
    assert running is not None
    assert list(map(id, running[1])) == [id(X), id(y), id(y)]
    assert start(lambda: Without.apply(X, 0)) == [(Without, [X, 0])]


def test_of_functions_in_functions_the_outer_one() -> None:
    assert start(lambda: Without.apply(X, 1)) == [(Without, [X, 1])] * 2


def test_the_forward_of_a_module_is_not_a_custom_function() -> None:
    model = Asks(found)
    start(lambda: model(X))
    assert model.answers == [None]


def test_what_runs_around_the_outermost_function_is_not_looked_at() -> None:
    class Around(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            start(lambda: RUNNING.append(found()))
            return x * 2

    Around.apply(X)
    assert RUNNING == [None]


# Places


def module_at(path: Path, text: str) -> ModuleType:
    """A module of the user's in that file."""
    path.parent.mkdir(parents=True)
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("users", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "place",
    ["torch/nn/user.py", "dispatchcount/capture/dispatch.py", "site-packages/torch/user.py"],
)
def test_a_path_that_looks_like_torchs_is_the_users(place: str, tmp_path: Path) -> None:
    users = module_at(tmp_path / place, "def call(ask):\n    return ask()\n")
    assert users.call(frames.call_site) == f"{tmp_path / place}:2"


def test_the_place_of_what_torch_calls_is_who_called_torch(tmp_path: Path) -> None:
    users = module_at(tmp_path / "users" / "user.py", "def call(module):\n    return module()\n")
    module = nn.Module()
    module.forward = frames.call_site  # only frames of torch, and ours, lie above the user's
    assert users.call(module) == f"{tmp_path}/users/user.py:2"


def test_memory_that_a_user_fills_is_reported_at_the_users_line(tmp_path: Path) -> None:
    path = tmp_path / "torch" / "capture" / "dispatch.py"
    users = module_at(
        path,
        "def fill(tensor, memset):\n"
        "    memset(tensor.data_ptr(), 0, tensor.numel() * 4)\n"
        "    return tensor + 1\n",
    )
    with dc.profile() as prof:
        users.fill(torch.empty(8), ctypes.memset)
    [issue] = prof.report.unknown_ops.values()
    assert issue.op == f"(unseen kernel before {path}:3)"


def test_instructions() -> None:
    def here() -> int:
        return frames.instruction()

    again = [here() for _ in range(3)]
    assert len(set(again)) == 1  # the same instructions, three times
    assert here() != here()

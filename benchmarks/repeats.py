"""What `scale.py` repeats without end in one block: modules, models and functions that are made
anew each time.

Each function makes the roots of a block and a step to repeat in it. A step leaves nothing of its
own behind.
"""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import torch
from sizes import resident
from torch import Tensor, nn

import dispatchcount

Repeated = tuple[tuple[nn.Module, ...], Callable[[], object]]

X = torch.ones(2, 4)

FIRST = 1_000
"""Steps before memory is looked at: by then every table has found its size."""

OPTIONS = {"optimizers": {"memory": True}, "watched": {"memory": True}, "timed": {"time": True}}


class Making(nn.Module):
    """Makes what it calls."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: Tensor) -> Tensor:
        return self.make()(x)


def _made(make: Callable[[], nn.Module]) -> Repeated:
    model = Making(make)
    return (model,), lambda: model(X)


def containers() -> Repeated:
    """a container made in each call"""
    return _made(lambda: nn.Sequential(nn.ReLU()))


def nested() -> Repeated:
    """containers in containers made in each call"""
    return _made(
        lambda: nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Tanh())), nn.ReLU())
    )


def classes() -> Repeated:
    """a module of a class of its own made in each call"""
    number = itertools.count()
    return _made(lambda: type(f"Made{next(number)}", (nn.Sequential,), {})(nn.ReLU()))


def parametrized() -> Repeated:
    """a parametrized module made in each call"""
    return _made(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)))


def named() -> Repeated:
    """a module held under a name of its own in each call"""
    number = itertools.count()

    class Named(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            name = f"part{next(number)}"
            self.add_module(name, nn.Sequential(nn.ReLU()))
            x = self.get_submodule(name)(x)
            delattr(self, name)
            return x

    model = Named()
    return (model,), lambda: model(X)


def roots() -> Repeated:
    """a model made in each step, forward and backward"""
    return (), lambda: nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU()))(X).sum().backward()


def watched() -> Repeated:
    """the same under `memory=True`"""
    return roots()


def timed() -> Repeated:
    """the same under `time=True`"""
    return roots()


def optimizers() -> Repeated:
    """an optimizer made in each step, under `memory=True`"""
    model = nn.Linear(4, 4)

    def step() -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        model(X).sum().backward()
        optimizer.step()

    return (model,), step


def functions() -> Repeated:
    """a class of autograd functions made in each step"""

    def step() -> None:
        class Twice(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor) -> Tensor:
                ctx.save_for_backward(x)
                return x * 2

            @staticmethod
            def backward(ctx: Any, grad: Tensor) -> Tensor:
                return grad * 2

        Twice.apply(X.clone().requires_grad_()).sum().backward()

    return (), step


def training() -> Repeated:
    """a step of training a model of ten layers"""
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(10)))
    return (model,), lambda: model(X).sum().backward()


def hooks() -> Repeated:
    """hooks put on and taken off in each step"""
    model = nn.Sequential(nn.Linear(4, 4))

    def step() -> None:
        handles = [part.register_forward_hook(lambda *_: None) for part in model.modules()]
        model(X)
        for handle in handles:
            handle.remove()

    return (model,), step


REPEATS = (
    containers,
    nested,
    classes,
    parametrized,
    named,
    roots,
    watched,
    timed,
    optimizers,
    functions,
    training,
    hooks,
)


def repeated(name: str, size: int, traced: bool) -> dict[str, float]:
    """Growth in bytes of memory over `size` steps in one block, and the report's paths and
    operators.

    `traced`: of Python's own, as `tracemalloc` has it, instead of the process's.
    """
    models, step = {function.__name__: function for function in REPEATS}[name]()
    with dispatchcount.profile(*models, **OPTIONS.get(name, {})) as prof:
        for _ in range(FIRST):
            step()
        gc.collect()
        if traced:
            tracemalloc.start()
        before = resident()
        for _ in range(size):
            step()
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] if traced else resident() - before
        tracemalloc.stop()
    report = prof.report
    return {
        "growth": float(growth),
        "paths": float(len(report.paths)),
        "operators": float(report.total.calls),
    }

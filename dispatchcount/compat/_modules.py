"""A model's modules, parameters and modes by name.

A module may lack attributes of `nn.Module`, as frozen ScriptModules do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from dispatchcount.capture import held
from dispatchcount.capture.held import buffers, guarded, parameters, walk


def named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module once, under its first name, callers first.

    Raises:
        TypeError: the model is no module.
    """
    held.check_module(model)
    seen: set[int] = set()
    for name, module in walk(model):
        if id(module) not in seen:
            seen.add(id(module))
            yield name, module


def named_parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter once, under its first name."""
    return _named(model, parameters)


def tensors(model: nn.Module) -> list[torch.Tensor]:
    """Parameters, then buffers."""
    return [*named_parameters(model).values(), *_named(model, buffers).values()]


@contextmanager
def in_mode(model: nn.Module, *, training: bool | None) -> Iterator[None]:
    """Put every module that has a mode in train or eval mode, and in its own mode afterwards.

    The modes are set one by one, for a `train` of the user's may do more than can be undone.

    Args:
        model: the model.
        training: True for train mode, False for eval mode, None to leave the modes as they are.
    """
    changed = [
        module
        for _, module in named_modules(model)
        if training is not None and held.training(module) is (not training)
    ]
    for module in changed:
        _set(module, mode=bool(training))
    try:
        yield
    finally:
        for module in changed:
            _set(module, mode=not training)


def _set(module: nn.Module, *, mode: bool) -> None:
    guarded(lambda: setattr(module, "training", mode), None)


def _named(
    model: nn.Module, held: Callable[[nn.Module], Sequence[tuple[str, torch.Tensor]]]
) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, module in named_modules(model):
        for key, tensor in held(module):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                found[f"{name}.{key}" if name else key] = tensor
    return found

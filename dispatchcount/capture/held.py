"""What a module holds, read so that no class of the user's can get in the way.

A module's tables are in its ``__dict__``, and are read there first: a subclass may make anything of attributes, and of what it is
equal to, how long it is, or what it is an instance of. Where they are not there (TorchScript keeps them in C++, a frozen
ScriptModule has no `training` at all, a class may never have called ``super().__init__()``), the class is asked, and what it
raises means that there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

T = TypeVar("T")


def children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that a module holds, with their names, in order."""
    return [pair for pair in _table(module, "_modules") if issubclass(type(pair[1]), nn.Module) or _poses_as(nn.Module, pair[1])]


def parameters(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """A module's own parameters, with their names."""
    return [pair for pair in _table(module, "_parameters") if issubclass(type(pair[1]), torch.Tensor) or _poses_as(torch.Tensor, pair[1])]


def buffers(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """A module's own buffers, with their names."""
    return [pair for pair in _table(module, "_buffers") if issubclass(type(pair[1]), torch.Tensor) or _poses_as(torch.Tensor, pair[1])]


def training(module: nn.Module) -> bool | None:
    """True in train mode, False in eval mode, None for a module that has no mode."""
    mode = _attribute(module, "training")
    return mode if isinstance(mode, bool) else None


def extra_repr(module: nn.Module) -> str:
    """What a module says of itself when it is printed; empty if it raises."""
    return guarded(lambda: str(module.extra_repr()), "")


def guarded(ask: Callable[[], T], otherwise: T) -> T:
    """What `ask` returns, or `otherwise` if the user's code behind it raises anything but a Ctrl-C."""
    try:
        return ask()
    except KeyboardInterrupt:
        raise
    except BaseException:  # SystemExit from a __repr__ must not end a run either
        return otherwise


def _table(module: nn.Module, name: str) -> list[tuple[str, Any]]:
    found = _attribute(module, name)
    if type(found) is dict:
        return list(found.items())
    return [] if found is None else guarded(lambda: list(found.items()), [])


def _attribute(module: nn.Module, name: str) -> Any:
    found = object.__getattribute__(module, "__dict__").get(name)
    return guarded(lambda: getattr(module, name), None) if found is None else found


def _poses_as(kind: type, value: Any) -> bool:
    """True for a proxy, whose ``__class__`` is that of what it stands for."""
    return value is not None and guarded(lambda: isinstance(value, kind), False)

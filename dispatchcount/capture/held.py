"""What a module holds, read so that no class of the user's can get in the way.

A module's tables are in its ``__dict__``, and are read there first: a subclass may make anything of attributes, and of what it is
equal to, how long it is, or what it is an instance of. Where they are not there (TorchScript keeps them in C++, a frozen
ScriptModule has no `training` at all, a class may never have called ``super().__init__()``), the class is asked, and what it
raises means that there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import nn

T = TypeVar("T")


def children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that a module holds, with their names, in order."""
    return _members(module, "_modules", nn.Module)


def number_of_children(module: nn.Module) -> int:
    """How many modules a module holds."""
    table = object.__getattribute__(module, "__dict__").get("_modules")
    return len(table) if type(table) is dict else len(children(module))


def parameters(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """A module's own parameters, with their names."""
    return _members(module, "_parameters", torch.Tensor)


def buffers(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """A module's own buffers, with their names."""
    return _members(module, "_buffers", torch.Tensor)


def training(module: nn.Module) -> bool | None:
    """True in train mode, False in eval mode, None for a module that has no mode."""
    mode = _attribute(module, "training")
    return mode if isinstance(mode, bool) else None


def extra_repr(module: nn.Module) -> str:
    """What a module says of itself when it is printed; empty if it raises."""
    return guarded(lambda: str(module.extra_repr()), "")


def tensors_within(value: Any, most: int) -> Iterator[torch.Tensor]:
    """The tensors in lists, tuples and dicts of the user's, nested in any way; no more than `most` items are looked at.

    Subclasses (named tuples, the outputs of transformers) are read as what they are built on, so that none of their code runs.
    """
    items, met = [value], set()
    for item in items:  # which grows: what lies less deep comes first
        kind = type(item)
        if issubclass(kind, torch.Tensor):
            yield item
        elif issubclass(kind, list | tuple | dict) and id(item) not in met:
            met.add(id(item))
            inside: Iterable[Any] = dict.values(item) if issubclass(kind, dict) else _base(kind).__iter__(item)
            items += islice(inside, most - len(items))


def _base(kind: type) -> type[list[Any]] | type[tuple[Any, ...]]:
    return list if issubclass(kind, list) else tuple


def guarded(ask: Callable[[], T], otherwise: T) -> T:
    """What `ask` returns, or `otherwise` if the user's code behind it raises anything but a Ctrl-C."""
    try:
        return ask()
    except KeyboardInterrupt:
        raise
    except BaseException:  # SystemExit from a __repr__ must not end a run either
        return otherwise


def _members(module: nn.Module, table: str, kind: type) -> list[tuple[str, Any]]:
    """The entries of one of a module's tables that are of some class, or say that they are (proxies)."""
    found = _attribute(module, table)
    if type(found) is dict and not found:
        return []
    entries = list(found.items()) if type(found) is dict else guarded(lambda: list(found.items()), [])
    return [pair for pair in entries if issubclass(type(pair[1]), kind) or _poses_as(kind, pair[1])]


def _attribute(module: nn.Module, name: str) -> Any:
    found = object.__getattribute__(module, "__dict__").get(name)
    return guarded(lambda: getattr(module, name), None) if found is None else found


def _poses_as(kind: type, value: Any) -> bool:
    return value is not None and guarded(lambda: isinstance(value, kind), False)

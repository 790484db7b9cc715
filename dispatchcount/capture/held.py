"""What a module holds, read so that no class of the user's can get in the way.

A module's tables are in its ``__dict__``, and are read there first: a subclass may make anything of attributes, and of what it is
equal to, how long it is, or what it is an instance of. Where they are not there (TorchScript keeps them in C++, a frozen
ScriptModule has no `training` at all, a class may never have called ``super().__init__()``), the class is asked, and what it
raises means that there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import nn

T = TypeVar("T")

_own = object.__getattribute__
_MODULE = nn.Module


def children(module: nn.Module) -> Sequence[tuple[str, nn.Module]]:
    """The modules that a module holds, with their names, in order."""
    return [(name, part) for name, part in entries_of(module, "_modules") if is_module(part)]


def walk(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every occurrence of a module under `root` with its name, callers first; what lies below a repeated one is not repeated.

    Unlike `named_modules`, this neither recurses (models 1,000 levels deep) nor runs away on modules that hold themselves.
    """
    found: list[tuple[str, nn.Module]] = []
    looked_into: set[int] = set()
    stack = [("", root)]
    while stack:
        place = stack.pop()
        found.append(place)
        name, module = place
        # A block reads every module twice, so what `entries_of` and `is_module` ask first is written out.
        table = _own(module, "__dict__").get("_modules")
        entries: Any = table.items() if type(table) is dict else entries_of(module, "_modules")
        if entries and id(module) not in looked_into:
            looked_into.add(id(module))
            prefix = f"{name}." if name else ""
            for key, part in reversed(entries):
                if issubclass(type(part), _MODULE) or is_module(part):
                    stack.append((f"{prefix}{key}", part))
    return found


Entries = ItemsView[str, Any] | Sequence[tuple[str, Any]]


def entries_of(module: nn.Module, table: str) -> Entries:
    """The entries of one of a module's tables, whatever they are: None for a part that is left out, and anything else."""
    found = _own(module, "__dict__").get(table)
    if type(found) is dict:
        return found.items()
    return guarded(lambda: list(_attribute(module, table).items()), [])


def is_module(value: Any) -> bool:
    """True for a module, and for what says that it is one (proxies)."""
    return issubclass(type(value), nn.Module) or _poses_as(nn.Module, value)


def is_tensor(value: Any) -> bool:
    """True for a tensor, and for what says that it is one; to ask of any class whether it is one of tensors takes long."""
    kind = type(value)
    return (
        kind is nn.Parameter
        or kind is torch.Tensor
        or issubclass(kind, torch.Tensor)
        or _poses_as(torch.Tensor, value)
    )


def parameters(module: nn.Module) -> Sequence[tuple[str, torch.Tensor]]:
    """A module's own parameters, with their names."""
    return [
        (name, tensor) for name, tensor in entries_of(module, "_parameters") if is_tensor(tensor)
    ]


def parameter_named(module: nn.Module, name: str) -> Any:
    """What a module holds as the parameter of that name, if it is one."""
    table = _own(module, "__dict__").get("_parameters")
    return table.get(name) if type(table) is dict else dict(parameters(module)).get(name)


def buffers(module: nn.Module) -> Sequence[tuple[str, torch.Tensor]]:
    """A module's own buffers, with their names."""
    return [(name, tensor) for name, tensor in entries_of(module, "_buffers") if is_tensor(tensor)]


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
            inside: Iterable[Any] = (
                dict.values(item) if issubclass(kind, dict) else _base(kind).__iter__(item)
            )
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


def _attribute(module: nn.Module, name: str) -> Any:
    found = _own(module, "__dict__").get(name)
    return guarded(lambda: getattr(module, name), None) if found is None else found


def _poses_as(kind: type, value: Any) -> bool:
    return value is not None and guarded(lambda: isinstance(value, kind), False)

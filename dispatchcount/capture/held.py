"""What a module holds, read so that no class of the user's can get in the way.

A subclass may make anything of its attributes, of what it is equal to, how long it is, or what it
is an instance of. So a module's tables of parameters, buffers and parts are read from its
``__dict__`` first. They may not be there: TorchScript keeps them in C++, a frozen ScriptModule has
no `training` at all, and a class may never have called ``super().__init__()``. Then the class is
asked, and if it raises, there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Reversible, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import nn

from dispatchcount.errors import kind_of

T = TypeVar("T")

Entries = Reversible[tuple[str, Any]]
"""The names and values of a module's table, in order: a dict's items, or a list."""

WrappedAs = Callable[[nn.Module], str | None]
"""The name by which a wrapper holds the module that it wraps; None of a module that wraps none."""

_own = object.__getattribute__
_MODULE = nn.Module


def children(module: nn.Module) -> Sequence[tuple[str, nn.Module]]:
    """The modules that a module holds, with their names, in order."""
    return [(name, part) for name, part in entries_of(module, "_modules") if is_module(part)]


def walk(root: nn.Module, wrapped_as: WrappedAs | None = None) -> list[tuple[str, nn.Module]]:
    """Every occurrence of a module under `root`, with its name, a module before its parts.

    A module may occur several times. What lies below it is listed at its first occurrence only.
    Unlike `named_modules`, this does not recurse (models may be 1,000 levels deep) and comes to an
    end on modules that hold themselves.

    Args:
        root: the module to begin with. Its name is empty.
        wrapped_as: says which modules are wrappers. What one wraps is listed right after it and has
            the wrapper's own name. Without it, wrappers are modules like any other.
    """
    found: list[tuple[str, nn.Module]] = []
    looked_into: set[int] = set()
    stack = [("", root)]
    while stack:
        place = stack.pop()
        found.append(place)
        module = place[1]
        # A block reads every module twice, so what `entries_of` and `is_module` ask first is
        # written out here.
        entries: Any = _own(module, "__dict__").get("_modules")
        if type(entries) is not dict:
            entries = entries_of(module, "_modules")
        elif entries:
            entries = entries.items()
        if not entries or id(module) in looked_into:
            continue
        looked_into.add(id(module))
        name = place[0]
        prefix = f"{name}." if name else ""
        wrapped = None if wrapped_as is None else wrapped_as(module)
        for key, part in reversed(entries):
            if key != wrapped and (issubclass(type(part), _MODULE) or is_module(part)):
                stack.append((f"{prefix}{key}", part))
        if wrapped is not None:
            stack.append((name, dict(entries)[wrapped]))
    return found


def entries_of(module: nn.Module, table: str) -> Entries:
    """The entries of one of a module's tables, whatever they are.

    The value is None for a part that is left out (``bias=False``). A user may put anything there.
    """
    found = _own(module, "__dict__").get(table)
    if type(found) is dict:
        return found.items()
    return guarded(lambda: list(_attribute(module, table).items()), [])


def is_module(value: Any) -> bool:
    """True for a module, and for an object that says that it is one, such as a proxy."""
    return issubclass(type(value), nn.Module) or _poses_as(nn.Module, value)


def check_module(value: Any, what: str = "the model", hint: str = "") -> None:
    """See that what a user gave is a module.

    Args:
        value: what was given.
        what: what errors call it.
        hint: what to do besides giving the module.

    Raises:
        TypeError: it is none.
    """
    if is_module(value):
        return
    if isinstance(value, type) and issubclass(value, nn.Module):
        advice = f"make one of it, {value.__name__}(…)"
    else:
        advice = "pass the module inside it"
    advice += f", or {hint}" if hint else ""
    raise TypeError(f"{what} is {kind_of(value)}, not a torch.nn.Module; {advice}")


def is_tensor(value: Any) -> bool:
    """True for a tensor, and for an object that says that it is one."""
    kind = type(value)  # the two common types come first, for `issubclass` takes long
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
    """What a module holds under that name in its table of parameters; None if it has no such."""
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
    """What a module says of itself when it is printed; empty if that raises."""
    return guarded(lambda: str(module.extra_repr()), "")


def tensors_within(value: Any, most: int) -> Iterator[torch.Tensor]:
    """The tensors in the user's lists, tuples and dicts, nested in any way.

    Subclasses (named tuples, the outputs of transformers) are read as the list, tuple or dict that
    they are built on, so that none of their code runs. What lies less deep comes first.

    Args:
        value: a tensor, a container, or anything else.
        most: no more items than that are looked at.
    """
    items, met = [value], set()
    for item in items:  # the list grows meanwhile
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
    """What `ask` returns; `otherwise` if the user's code behind it raises, but for a Ctrl-C."""
    try:
        return ask()
    except KeyboardInterrupt:
        raise
    except BaseException:  # SystemExit from a __repr__ must not end a run either
        return otherwise


def _attribute(module: nn.Module, name: str) -> Any:
    """An attribute, from the module's own ``__dict__`` if it is there; None if there is none."""
    found = _own(module, "__dict__").get(name)
    return guarded(lambda: getattr(module, name), None) if found is None else found


def _poses_as(kind: type, value: Any) -> bool:
    """True if a value says that it is an instance of a class that is not its type's base."""
    return value is not None and guarded(lambda: isinstance(value, kind), False)

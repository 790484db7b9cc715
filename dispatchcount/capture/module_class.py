"""What is the same for all modules of a class, gathered once."""

from __future__ import annotations

import weakref
from inspect import CO_VARARGS, CO_VARKEYWORDS, getattr_static
from typing import Any

from torch import nn
from torch.jit import ScriptModule

from dispatchcount.capture.held import children, entries_of, guarded, is_module
from dispatchcount.capture.wrappers import COMPILED, original, wraps


class ModuleClass:
    """A module's class, as far as following its modules depends on it.

    Attributes:
        name: the class's, without what torch.distributed puts before it.
        scripted: True if TorchScript runs its modules.
        wraps: the name by which its modules hold the one that they wrap, if they are wrappers; see
            `dispatchcount.capture.wrappers`.
        renamed: True if what its modules are called is not the name of the class: TorchScript's and
            the compiler's stand for a module of another class.
        container: True if it only holds other modules or does nothing, so it is not reported as
            uncalled.
        many: True if its forward takes more than one argument, so that some may come by keyword.
        plain: True if it is one of torch's own layers, which keep all their weights as parameters.
    """

    __slots__ = ("container", "many", "name", "plain", "renamed", "scripted", "wraps")

    def __init__(self, of: type[nn.Module]) -> None:
        self.name = original(of).__name__
        self.scripted = issubclass(of, ScriptModule)
        self.wraps = wraps(of)
        self.renamed = self.scripted or self.wraps == COMPILED
        forward = getattr_static(of, "forward", None)
        self.container = forward is nn.Module.forward or issubclass(of, nn.Identity)
        code = getattr(forward, "__code__", None)
        self.many = (
            code is None
            or code.co_argcount + code.co_kwonlyargcount > 2
            or bool(code.co_flags & _VARIADIC)
        )
        self.plain = str(of.__module__).startswith("torch.nn.modules.")

    def name_of(self, module: nn.Module) -> str:
        """What to call a module of the class."""
        if self.scripted:
            return guarded(lambda: str(module.original_name), self.name)
        wrapped = dict(children(module)).get(COMPILED) if self.renamed else None
        return self.name if wrapped is None else type_name(wrapped)


_VARIADIC = CO_VARARGS | CO_VARKEYWORDS

_KNOWN: dict[int, tuple[Any, ModuleClass]] = {}
"""By the class's id, until the class is gone: parametrized modules have a class each."""


def class_of(module: nn.Module) -> ModuleClass:
    """The facts of a module's class."""
    of = type(module)
    known = _KNOWN.get(id(of))
    if known is None:
        key = id(of)
        known = _KNOWN[key] = weakref.ref(of, lambda _: _KNOWN.pop(key, None)), ModuleClass(of)
    return known[1]


def wrapped_as(module: nn.Module) -> str | None:
    """The name by which a wrapper holds the module that it wraps; None if it wraps none."""
    name = class_of(module).wraps
    if name is None or not is_module(dict(entries_of(module, "_modules")).get(name)):
        return None
    return name


def wrapped(module: nn.Module) -> nn.Module | None:
    """The module that a wrapper wraps; None if it wraps none."""
    name = wrapped_as(module)
    return None if name is None else dict(children(module))[name]


def innermost(module: nn.Module) -> nn.Module:
    """What the wrappers around a module wrap in the end; the module itself if it wraps none."""
    met = {id(module)}
    while (inside := wrapped(module)) is not None and id(inside) not in met:
        module = inside
        met.add(id(module))
    return module


def type_name(module: nn.Module) -> str:
    """A module's class as people know it.

    For a scripted module that is the class of its source, for a compiled one the class of the
    model.
    """
    return class_of(module).name_of(module)

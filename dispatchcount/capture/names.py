"""Which module is which while a block runs: those of the roots, and those met that no root holds.

Nothing here holds a module alive.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from inspect import CO_VARARGS, CO_VARKEYWORDS, getattr_static
from typing import Any

from torch import nn
from torch.jit import ScriptModule

from dispatchcount.report.rows import NO_MODULE


class Info:
    """A module as the record knows it.

    Attributes:
        ref: weak reference to the module; None for the outside.
        type: class name.
        label: its name relative to `above`, for when no root holds it (any longer).
        many: whether its forward takes more than one argument, so that some may come by keyword.
        above: the root it was found in, or the module it was first called from; None for a root and for the outside.
        last: the node of its latest call, for work that names a module but no call (gradient accumulation).
    """

    __slots__ = ("above", "label", "last", "many", "ref", "type")

    def __init__(self, module: nn.Module | None, label: str, above: Info | None) -> None:
        self.ref: Any = None
        self.type = type_name(module)
        self.many = module is not None and _takes_many(type(module))
        self.label = label
        self.above = above
        self.last: Any = None

    def module(self) -> nn.Module | None:
        """The module, if it is still alive."""
        return None if self.ref is None else self.ref()


class Names:
    """The modules of one block."""

    def __init__(self, roots: list[tuple[str | None, nn.Module]], *, closed: bool) -> None:
        """`roots` with the name the user gave each, None where none. `closed`: modules outside them do not become roots."""
        self.outside = Info(None, NO_MODULE, None)
        self.infos: dict[int, Info] = {}
        self.roots: list[tuple[str | None, Info]] = []
        self._closed = closed
        self._spare: dict[tuple[Info | None, str], list[Info]] = {}  # of modules that are gone, for others like them
        self._foreigners: Counter[tuple[Info, str]] = Counter()
        for label, module in roots:
            self._add_root(label, module)

    def _add_root(self, label: str | None, module: nn.Module) -> Info:
        root = self.infos.get(id(module)) or self._enter(module, Info(module, "", None))
        self.roots.append((label, root))
        for name, child in walk(module):
            if id(child) not in self.infos:
                self._enter(child, Info(child, name, root))
        return root

    def _enter(self, module: nn.Module, info: Info, spare: list[Info] | None = None) -> Info:
        key = id(module)

        def forget(ref: Any) -> None:  # the id may be used again
            if info.ref is ref:
                self.infos.pop(key, None)
                if spare is not None:
                    spare.append(info)

        info.ref = weakref.ref(module, forget)
        self.infos[key] = info
        return info

    def meet(self, module: nn.Module, caller: Info) -> Info:
        """The info of a module that is called for the first time, from inside `caller`."""
        if caller is self.outside and not self._closed:
            return self._found(module)
        parent = caller.module()
        if parent is not None:
            for name, child in parent._modules.items():
                if child is module:
                    return self._enter(module, Info(module, name, caller))
        return self._foreign(module, caller)

    def _found(self, module: nn.Module) -> Info:
        """A new root. One that holds no modules takes the place of one like it that is gone (a loss made anew in every step)."""
        if len(module._modules):
            return self._add_root(None, module)
        spare = self._spare.setdefault((None, type_name(module)), [])
        if spare:
            return self._enter(module, spare.pop(), spare)
        info = self._enter(module, Info(module, "", None), spare)
        self.roots.append((None, info))
        return info

    def _foreign(self, module: nn.Module, caller: Info) -> Info:
        """A module that nothing holds: one row for each alive at a time, so that one made anew in every call stays one row."""
        key = caller, type_name(module)
        spare = self._spare.setdefault(key, [])
        if spare:
            return self._enter(module, spare.pop(), spare)
        self._foreigners[key] += 1
        number = self._foreigners[key]
        return self._enter(module, Info(module, f"({key[1]})" if number == 1 else f"({key[1]} #{number})", caller), spare)


def walk(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every occurrence of a module under `root` with its name, callers first; what lies below a repeated one is not repeated.

    Unlike `named_modules`, this neither recurses (models 1,000 levels deep) nor runs away on modules that hold themselves.
    """
    seen: set[int] = set()
    stack: list[tuple[str, nn.Module]] = [("", root)]
    while stack:
        name, module = stack.pop()
        yield name, module
        if id(module) not in seen:
            seen.add(id(module))
            children = [(f"{name}.{key}" if name else key, child) for key, child in module._modules.items() if child is not None]
            stack.extend(reversed(children))


def type_name(module: nn.Module | None) -> str:
    """A module's class as people know it: that of the source for a scripted module, of the wrapped one for a compiled one."""
    if module is None:
        return ""
    if isinstance(module, ScriptModule):
        return str(module.original_name)
    wrapped = module._modules.get("_orig_mod")
    return type(module).__name__ if wrapped is None else type_name(wrapped)


_MANY: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()  # parametrized modules have a class each, which holds them


def _takes_many(kind: type[nn.Module]) -> bool:
    many = _MANY.get(kind)
    if many is None:
        code = getattr(getattr_static(kind, "forward", None), "__code__", None)
        many = code is None or code.co_argcount + code.co_kwonlyargcount > 2 or bool(code.co_flags & (CO_VARARGS | CO_VARKEYWORDS))
        _MANY[kind] = many
    return many

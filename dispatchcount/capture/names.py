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
        kind = None if module is None else kind_of(type(module))
        self.ref: Any = None
        self.type = "" if kind is None else kind.name_of(module)
        self.many = kind is not None and kind.many
        self.label = label
        self.above = above
        self.last: Any = None

    def inside(self, other: Info) -> bool:
        """Whether its name says that it is a part of `other`; a sibling with a longer name may be taken for one."""
        return other is self.above or (other.above is self.above and self.label.startswith(other.label))

    def module(self) -> nn.Module | None:
        """The module, if it is still alive."""
        return None if self.ref is None else self.ref()


class _Ref(weakref.ref[nn.Module]):
    """A module and what to forget with it. One object, where a closure for each of 100,000 modules would be six."""

    __slots__ = ("info", "key", "names", "spare")

    info: Info
    key: int
    names: Names
    spare: list[Info] | None


def _forget(ref: Any) -> None:
    """A module is gone, and its id may be used again."""
    if ref.info.ref is ref:
        ref.names.infos.pop(ref.key, None)
        if ref.spare is not None:
            ref.spare.append(ref.info)


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
        info.ref = ref = _Ref(module, _forget)
        ref.info, ref.key, ref.names, ref.spare = info, id(module), self, spare
        self.infos[ref.key] = info
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
    return "" if module is None else kind_of(type(module)).name_of(module)


class Kind:
    """What is the same for all modules of a class.

    Attributes:
        name: the class's.
        wraps: whether a module of it may stand for another (scripted and compiled modules).
        container: whether it only holds other modules or does nothing, so that never being called is no news.
        many: whether its forward takes more than one argument, so that some may come by keyword.
        plain: whether it is one of torch's own layers, which keep all their weights as parameters.
    """

    __slots__ = ("container", "many", "name", "plain", "wraps")

    def __init__(self, kind: type[nn.Module]) -> None:
        self.name = kind.__name__
        self.wraps = issubclass(kind, ScriptModule) or not kind.__module__.startswith("torch.nn.")
        self.container = getattr(kind, "forward", None) is nn.Module.forward or issubclass(kind, nn.Identity)
        code = getattr(getattr_static(kind, "forward", None), "__code__", None)
        self.many = code is None or code.co_argcount + code.co_kwonlyargcount > 2 or bool(code.co_flags & _VARIADIC)
        self.plain = kind.__module__.startswith("torch.nn.modules.")

    def name_of(self, module: nn.Module) -> str:
        """What to call a module of the class."""
        if not self.wraps:
            return self.name
        if isinstance(module, ScriptModule):
            return str(module.original_name)
        wrapped = module._modules.get("_orig_mod")
        return self.name if wrapped is None else type_name(wrapped)


_VARIADIC = CO_VARARGS | CO_VARKEYWORDS
_KINDS: weakref.WeakKeyDictionary[type, Kind] = weakref.WeakKeyDictionary()  # parametrized modules have a class each


def kind_of(kind: type[nn.Module]) -> Kind:
    """The facts of a class, gathered once."""
    known = _KINDS.get(kind)
    if known is None:
        known = _KINDS[kind] = Kind(kind)
    return known

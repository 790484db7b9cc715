"""Which module is which while a block runs: those of the roots, and those met that no root holds.

Nothing here holds a module alive.
"""

from __future__ import annotations

import weakref
from collections import Counter
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
        many: whether its forward takes more than one argument, so that some may come by keyword.
        label: its name relative to `above`, for when no root holds it (any longer).
        above: the root it was found in, or the module it was first called from; None for a root and for the outside.
        last: the node of its latest call, for work that names a module but no call (gradient accumulation).
        caller: the module that it was last seen to be called from rightly.
    """

    __slots__ = ("above", "caller", "label", "last", "many", "ref", "type")

    def __init__(self, module: nn.Module, label: str, above: Info | None) -> None:
        self.ref: Any = weakref.ref(module)
        kind = kind_of(type(module))
        self.type = kind.name_of(module)
        self.many = kind.many
        self.label = label
        self.above = above
        self.last: Any = None
        self.caller: Info | None = None

    def inside(self, other: Info) -> bool:
        """Whether its name says that it is a part of `other`; a sibling with a longer name may be taken for one."""
        return other is self.above or (other.above is self.above and self.label.startswith(other.label))

    def module(self) -> nn.Module | None:
        """The module, if it is still alive."""
        return None if self.ref is None else self.ref()


class _Outside(Info):
    """Stands for no module."""

    __slots__ = ()

    def __init__(self) -> None:
        self.ref = self.above = self.last = self.caller = None
        self.type = ""
        self.many = False
        self.label = NO_MODULE


class _Ref(weakref.ref[nn.Module]):
    """A module that may be made anew in every call, and where its `Info` waits for the next one when it is gone."""

    __slots__ = ("info", "spare")

    info: Info
    spare: list[Info]


def _leave_to_others(ref: Any) -> None:
    if ref.info.ref is ref:
        ref.spare.append(ref.info)


class Names:
    """The modules of one block."""

    def __init__(self, roots: list[tuple[str | None, nn.Module]], *, closed: bool) -> None:
        """`roots` with the name the user gave each, None where none. `closed`: modules outside them do not become roots."""
        self.outside: Info = _Outside()
        self.infos: dict[int, Info] = {}
        self.roots: list[tuple[str | None, Info]] = []
        self._closed = closed
        self._spare: dict[tuple[Info | None, str], list[Info]] = {}  # of modules that are gone, for others like them
        self._foreigners: Counter[tuple[Info, str]] = Counter()
        for label, module in roots:
            self._add_root(label, module)

    def info(self, module: nn.Module) -> Info | None:
        """What is known of a module; None if it was neither in a root nor called."""
        info = self.infos.get(id(module))
        return info if info is not None and info.ref() is module else None

    def held(self, root: Info, module: nn.Module, name: str) -> Info:
        """The info of a module that `root` holds under that name."""
        return self.info(module) or self._add(module, Info(module, name, root))

    def _add_root(self, label: str | None, module: nn.Module) -> Info:
        root = self.info(module) or self._add(module, Info(module, "", None))
        self.roots.append((label, root))
        for name, child in walk(module):
            self.held(root, child, name)
        return root

    def _add(self, module: nn.Module, info: Info) -> Info:
        self.infos[id(module)] = info
        return info

    def meet(self, module: nn.Module, caller: Info) -> Info:
        """The info of a module not known yet that is called from inside `caller`."""
        if caller is self.outside and not self._closed:
            return self._found(module)
        parent = caller.module()
        if parent is not None:
            for name, child in parent._modules.items():
                if child is module:
                    return self._add(module, Info(module, name, caller))
        return self._foreign(module, caller)

    def _found(self, module: nn.Module) -> Info:
        """A new root. One that holds no modules takes the place of one like it that is gone (a loss made anew in every step)."""
        if len(module._modules):
            return self._add_root(None, module)
        spare = self._spare.setdefault((None, type_name(module)), [])
        if spare:
            return self._borrow(module, spare.pop(), spare)
        info = self._borrow(module, Info(module, "", None), spare)
        self.roots.append((None, info))
        return info

    def _foreign(self, module: nn.Module, caller: Info) -> Info:
        """A module that nothing holds: one row for each alive at a time, so that one made anew in every call stays one row."""
        key = caller, type_name(module)
        spare = self._spare.setdefault(key, [])
        if spare:
            return self._borrow(module, spare.pop(), spare)
        self._foreigners[key] += 1
        number = self._foreigners[key]
        return self._borrow(module, Info(module, f"({key[1]})" if number == 1 else f"({key[1]} #{number})", caller), spare)

    def _borrow(self, module: nn.Module, info: Info, spare: list[Info]) -> Info:
        """Let `info` stand for `module` until that is gone."""
        info.ref = ref = _Ref(module, _leave_to_others)
        ref.info, ref.spare = info, spare
        return self._add(module, info)


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
        children = module._modules
        if children and id(module) not in looked_into:
            looked_into.add(id(module))
            prefix = f"{name}." if name else ""
            stack += [(prefix + key, child) for key, child in children.items() if child is not None][::-1]
    return found


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
        self.wraps = issubclass(kind, ScriptModule) or any(base.__module__.startswith("torch._dynamo") for base in kind.__mro__)
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
_KINDS: dict[int, tuple[Any, Kind]] = {}  # by the class's id, until it is gone: parametrized modules have a class each


def kind_of(kind: type[nn.Module]) -> Kind:
    """The facts of a class, gathered once."""
    known = _KINDS.get(id(kind))
    if known is None:
        key = id(kind)
        known = _KINDS[key] = weakref.ref(kind, lambda _: _KINDS.pop(key, None)), Kind(kind)
    return known[1]

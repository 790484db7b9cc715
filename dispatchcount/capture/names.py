"""Which module is which while a block runs: those of the roots, and those met that no root holds.

Nothing here holds a module alive, and what is kept does not grow with modules that come and go.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from inspect import CO_VARARGS, CO_VARKEYWORDS, getattr_static
from typing import Any

from torch import nn
from torch.jit import ScriptModule

from dispatchcount.capture.held import children, guarded, walk
from dispatchcount.capture.used import Used
from dispatchcount.report.rows import NO_MODULE

MAX_GONE = 32
"""Classes or names of modules that are gone, told apart under one module beyond those alive there at once. More share rows."""

OTHERS = "(other modules)"
"""The row that they share."""


class Info:
    """A module as the record knows it. When the module is gone, another like it may take its place.

    Attributes:
        ref: weak reference to the module; None for the outside.
        type: class name.
        many: True if its forward takes more than one argument, so that some may come by keyword.
        label: its name relative to `above`, for when no root holds it (any longer).
        like: what a module under `above` must share with this one to take its place: the name it is held by, or its class.
        above: the root it was found in, or the module it was first called from; None for a root and for the outside.
        last: the node of its latest call, for work that names a module but no call (gradient accumulation).
        caller: the module that it was last seen to be called from rightly; None before its first call.
    """

    __slots__ = ("above", "caller", "label", "last", "like", "many", "ref", "type")

    def __init__(self, label: str, like: str, above: Info | None) -> None:
        self.ref: Any = None
        self.type = ""
        self.many = False
        self.label = label
        self.like = like
        self.above = above
        self.last: Any = None
        self.caller: Info | None = None

    def inside(self, other: Info) -> bool:
        """Whether its name says that it is a part of `other`; a sibling with a longer name may be taken for one."""
        return other is self.above or (
            other.above is self.above and self.label.startswith(other.label)
        )

    def module(self) -> nn.Module | None:
        """The module, if it is still alive."""
        return None if self.ref is None else self.ref()


class _Ref(weakref.ref[nn.Module]):
    """A module, weakly, and the id by which its `Info` is found."""

    __slots__ = ("key",)

    key: int


class Names:
    """The modules of one block.

    Modules may be made anew in every call, and models in every step. What is kept of them does not grow: it is what was kept of
    others that came and went in the same place.

    Attributes:
        outside: stands for no module.
        infos: of the modules alive, by id.
        roots: the name the user gave each, None where none.
        used: parameters that operators were seen to use.
    """

    def __init__(self, roots: list[tuple[str | None, nn.Module]], *, closed: bool) -> None:
        """`roots` with the name the user gave each, None where none. `closed`: modules outside them do not become roots."""
        self.outside = Info(NO_MODULE, "", None)
        self.infos: dict[int, Info] = {}
        self.used = Used()
        self.roots: list[tuple[str | None, Info]] = []
        self._closed = closed
        self._spare: dict[
            tuple[Info | None, str], list[Info]
        ] = {}  # of modules that are gone, by `above` and `like`
        # How many `like` there are in that, how many modules are alive, and how many were at once; all by `above`.
        self._places: defaultdict[Info | None, int] = defaultdict(int)
        self._alive: defaultdict[Info | None, int] = defaultdict(int)
        self._most: defaultdict[Info | None, int] = defaultdict(int)
        self._foreigners: defaultdict[tuple[Info, str], int] = defaultdict(int)
        self._gone = self._leave  # one for all modules: each look at a method makes another
        for label, module in roots:
            info = self.info(module) or self._stand_alone(Info("", "", None), module)
            self.roots.append((label, info))
            self._hold_parts(info, module)

    def info(self, module: nn.Module) -> Info | None:
        """What is known of a module; None if it was neither in a root nor called."""
        info = self.infos.get(id(module))
        return info if info is not None and info.ref() is module else None

    def held(self, above: Info, module: nn.Module, name: str) -> Info:
        """The info of a module that `above` holds under that name."""
        info = self.infos.get(id(module))
        if info is not None and info.ref() is module:
            return info
        return self._stand_alone(self._free(above, name) or Info(name, name, above), module)

    def meet(self, module: nn.Module, caller: Info) -> Info:
        """The info of a module not known yet that is called from inside `caller`."""
        if caller is self.outside and not self._closed:
            return self._found(module)
        parent = caller.module()
        if parent is not None:
            for name, child in children(parent):
                if child is module:
                    return self.held(caller, module, name)
        return self._foreign(module, caller)

    def _found(self, module: nn.Module) -> Info:
        """A new root. It takes the place of one of its class that is gone (a loss, or a model, made anew in every step)."""
        like = type_name(module)
        info = self._free(None, like)
        if info is None:
            info = Info("", like, None)
            self.roots.append((None, info))
        self._stand_alone(info, module)
        self._hold_parts(info, module)
        return info

    def _foreign(self, module: nn.Module, caller: Info) -> Info:
        """A module that nothing holds: one row for each alive at a time, so that one made anew in every call stays one row."""
        like = f"({type_name(module)})"
        info = self._free(caller, like)
        if info is None:
            self._foreigners[caller, like] += 1
            number = self._foreigners[caller, like]
            info = Info(like if number == 1 else f"{like[:-1]} #{number})", like, caller)
        return self._stand_alone(info, module)

    def _hold_parts(self, root: Info, module: nn.Module) -> None:
        infos, spare, stand = self.infos, self._spare, self._stand
        stood = 0
        for name, part in walk(module)[1:]:
            info = infos.get(id(part))
            if info is None or info.ref() is not part:
                stand((spare and self._free(root, name)) or Info(name, name, root), part)
                stood += 1
        self._alive[root] += stood

    def _stand(self, info: Info, module: nn.Module) -> Info:
        """Let `info` stand for `module` until that is gone. The caller counts it as alive."""
        key = id(module)
        info.ref = ref = _Ref(module, self._gone)
        ref.key = key
        kind = kind_of(type(module))
        info.type = kind.name_of(module) if kind.wraps else kind.name
        info.many = kind.many
        self.infos[key] = info
        return info

    def _stand_alone(self, info: Info, module: nn.Module) -> Info:
        """Let `info` stand for `module`, and count it as alive."""
        self._alive[info.above] += 1
        return self._stand(info, module)

    def _leave(self, ref: Any) -> None:
        """A module is gone; its info waits for another. This may come in any thread, and in the middle of anything."""
        info = self.infos.get(ref.key)
        if info is None or info.ref is not ref:
            return
        above, like = info.above, info.like
        del self.infos[ref.key]
        self._most[above] = max(
            self._most[above], self._alive[above]
        )  # it was never more, or this was done then
        self._alive[above] -= 1
        if (above, like) not in self._spare:
            if self._places[above] >= self._most[above] + MAX_GONE:
                like = OTHERS
            self._places[above] += 1
        self._spare.setdefault((above, like), []).append(info)

    def _free(self, above: Info | None, like: str) -> Info | None:
        """What was kept of a module that is gone, for one like it."""
        if not self._spare:
            return None
        waiting = self._spare.get((above, like))
        if waiting:
            return waiting.pop()
        waiting = self._spare.get((above, OTHERS))
        if not waiting:
            return None
        info = waiting.pop()
        info.label = info.like = OTHERS
        return info


def type_name(module: nn.Module | None) -> str:
    """A module's class as people know it: that of the source for a scripted module, of the wrapped one for a compiled one."""
    return "" if module is None else kind_of(type(module)).name_of(module)


class Kind:
    """What is the same for all modules of a class.

    Attributes:
        name: the class's.
        scripted: True if TorchScript runs its modules.
        compiled: True if a module of it stands for the one that torch.compile was given.
        wraps: True for either: what its modules are called is not the name of the class.
        container: True if it only holds other modules or does nothing, so that never being called is no news.
        many: True if its forward takes more than one argument, so that some may come by keyword.
        plain: True if it is one of torch's own layers, which keep all their weights as parameters.
    """

    __slots__ = ("compiled", "container", "many", "name", "plain", "scripted", "wraps")

    def __init__(self, kind: type[nn.Module]) -> None:
        self.name = kind.__name__
        self.scripted = issubclass(kind, ScriptModule)
        self.compiled = any(
            str(base.__module__).startswith("torch._dynamo") for base in kind.__mro__
        )
        self.wraps = self.scripted or self.compiled
        forward = getattr_static(kind, "forward", None)
        self.container = forward is nn.Module.forward or issubclass(kind, nn.Identity)
        code = getattr(forward, "__code__", None)
        self.many = (
            code is None
            or code.co_argcount + code.co_kwonlyargcount > 2
            or bool(code.co_flags & _VARIADIC)
        )
        self.plain = str(kind.__module__).startswith("torch.nn.modules.")

    def name_of(self, module: nn.Module) -> str:
        """What to call a module of the class."""
        if self.scripted:
            return guarded(lambda: str(module.original_name), self.name)
        wrapped = dict(children(module)).get("_orig_mod") if self.compiled else None
        return self.name if wrapped is None else type_name(wrapped)


_VARIADIC = CO_VARARGS | CO_VARKEYWORDS
_KINDS: dict[
    int, tuple[Any, Kind]
] = {}  # by the class's id, until it is gone: parametrized modules have a class each


def kind_of(kind: type[nn.Module]) -> Kind:
    """The facts of a class, gathered once."""
    known = _KINDS.get(id(kind))
    if known is None:
        key = id(kind)
        known = _KINDS[key] = weakref.ref(kind, lambda _: _KINDS.pop(key, None)), Kind(kind)
    return known[1]

"""Which module is which while a block runs: those of the roots, and those met that no root holds.

Nothing here holds a module alive, and what is kept does not grow with modules that come and go.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from torch import nn

from dispatchcount.capture.held import children, walk
from dispatchcount.capture.module_class import class_of, innermost, type_name, wrapped, wrapped_as
from dispatchcount.capture.used import Used
from dispatchcount.report.rows import NO_MODULE

MAX_GONE = 32
"""Classes or names of modules that are gone, told apart under one module beyond those alive there
at once.

More of them share rows.
"""

OTHERS = "(other modules)"
"""The row that they share."""


class Info:
    """A module as the record knows it. When the module is gone, another like it may take its place.

    Attributes:
        ref: weak reference to the module; None for the outside, which stands for no module.
        type: class name.
        many: True if its forward takes more than one argument, so that some may come by keyword.
        label: its name relative to `above`, for when no root holds it (any longer).
        like: what a module under `above` must share with this one to take its place: the name it is
            held by, or its class.
        above: the root it was found in, or the module it was first called from; None for a root and
            for the outside.
        caller: the caller seen last time, if that call was consistent with the module tree; None
            before the first call. `ModuleStack` keeps it here for the hot path.
        wraps: of a wrapper the module that it wraps, on whose row its work is shown; else None.
    """

    __slots__ = ("above", "caller", "label", "like", "many", "ref", "type", "wraps")

    def __init__(self, label: str, like: str, above: Info | None) -> None:
        self.ref: Any = None
        self.type = ""
        self.many = False
        self.label = label
        self.like = like
        self.above = above
        self.caller: Info | None = None
        self.wraps: Info | None = None

    def inside(self, other: Info) -> bool:
        """True if this module is a descendant of `other`, judged by a name prefix.

        It may be wrong for siblings such as ``layer1`` and ``layer10``.
        """
        return other is self.above or (
            other.above is self.above and self.label.startswith(other.label)
        )

    def module(self) -> nn.Module | None:
        """The module, if it is still alive."""
        return None if self.ref is None else self.ref()

    def innermost(self) -> Info:
        """The module on whose row this one's work is shown: itself, or the innermost it wraps."""
        info, met = self, {self}
        while info.wraps is not None:
            info = info.wraps
            if info in met:  # wrappers that wrap each other
                return self
            met.add(info)
        return info


class _Ref(weakref.ref[nn.Module]):
    """A module, weakly, and the id by which its `Info` is found."""

    __slots__ = ("key",)

    key: int


class Modules:
    """The modules of one block.

    Modules may be made anew in every call, and models in every step. What is kept of them does not
        grow: a module that takes the place of one that is gone gets the `Info` of that.

    Attributes:
        outside: stands for no module.
        infos: of the modules alive, by id.
        roots: the infos of the roots, each with the name that the user gave it, None where none.
        used: parameters that operators were seen to use inside of modules.
        wrapped_as: tells wrappers from other modules; None if they are modules like any other.
    """

    def __init__(
        self,
        roots: list[tuple[str | None, nn.Module]],
        *,
        closed: bool,
        keep_wrappers: bool = False,
    ) -> None:
        """The modules of the roots.

        Args:
            roots: each with the name the user gave it, None where none.
            closed: True if modules outside of the roots do not become roots when they are called.
            keep_wrappers: True if wrappers have rows and names of their own.
        """
        self.outside = Info(NO_MODULE, "", None)
        self.infos: dict[int, Info] = {}
        self.used = Used()
        self.roots: list[tuple[str | None, Info]] = []
        self._closed = closed
        self.wrapped_as = None if keep_wrappers else wrapped_as
        # Infos of modules that are gone, by `above` and `like`.
        self._spare: dict[tuple[Info | None, str], list[Info]] = {}
        # How many `like` there are in that, how many modules are alive, and how many were at once;
        # all by `above`.
        self._places: defaultdict[Info | None, int] = defaultdict(int)
        self._alive: defaultdict[Info | None, int] = defaultdict(int)
        self._most: defaultdict[Info | None, int] = defaultdict(int)
        self._foreigners: defaultdict[tuple[Info, str], int] = defaultdict(int)
        # One callback for all modules, which does not keep the block alive.
        self._gone = _telling(self)
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
            through = None if self.wrapped_as is None else self.wrapped_as(parent)
            for name, child in children(parent):
                if child is module and name == through:  # it was put there inside the block
                    return self._look_through(caller, module)
                if child is module:
                    return self.held(caller, module, name)
        return self._foreign(module, caller)

    def _look_through(self, wrapper: Info, inside: nn.Module) -> Info:
        """The info of the module that a wrapper wraps, which has the wrapper's name."""
        info = self.info(inside)
        if info is None:
            # The wrapper may be a root, which nothing is above.
            above, like = wrapper.above or wrapper, f"{wrapper.like} inside"
            info = self._free(above, like) or Info(wrapper.label, like, above)
            self._stand_alone(info, inside)
        wrapper.wraps = info
        return info

    def _found(self, module: nn.Module) -> Info:
        """The info of a new root.

        It takes the place of one of its class that is gone: a loss, or a model, may be made anew in
            every step.
        """
        like = type_name(module)
        info = self._free(None, like)
        if info is None:
            info = Info("", like, None)
            self.roots.append((None, info))
        self._stand_alone(info, module)
        self._hold_parts(info, module)
        return info

    def _foreign(self, module: nn.Module, caller: Info) -> Info:
        """The info of a module that nothing holds.

        There is one row for each of a class that is alive at a time, so that a module made anew in
        every call stays one row.
        """
        like = f"({type_name(module)})"
        info = self._free(caller, like)
        if info is None:
            label = f"({type_name(module if self.wrapped_as is None else innermost(module))})"
            self._foreigners[caller, label] += 1
            number = self._foreigners[caller, label]
            info = Info(label if number == 1 else f"{label[:-1]} #{number})", like, caller)
        return self._stand_alone(info, module)

    def _hold_parts(self, root: Info, module: nn.Module) -> None:
        """Give each module in a root an info."""
        infos, spare, stand = self.infos, self._spare, self._stand
        stood = 0
        for name, part in walk(module, self.wrapped_as)[1:]:
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
        of = class_of(module)
        info.type = of.name_of(module) if of.renamed else of.name
        info.many = of.many
        info.wraps = None
        self.infos[key] = info
        inside = None if of.wraps is None or self.wrapped_as is None else wrapped(module)
        if inside is not None:
            self._look_through(info, inside)
        return info

    def _stand_alone(self, info: Info, module: nn.Module) -> Info:
        """Let `info` stand for `module`, and count it as alive."""
        self._alive[info.above] += 1
        return self._stand(info, module)

    def _leave(self, ref: Any, *, most_gone: int = MAX_GONE, others: str = OTHERS) -> None:
        """A module is gone; its info waits for another.

        This may run in any thread, and in the middle of anything. It may also run while Python
        shuts down and has taken this file's names away already, so it brings what it needs along.
        """
        info = self.infos.get(ref.key)
        if info is None or info.ref is not ref:
            return
        above, like = info.above, info.like
        del self.infos[ref.key]
        # The number alive only falls here, so its maximum need not be looked for anywhere else.
        self._most[above] = max(self._most[above], self._alive[above])
        self._alive[above] -= 1
        if (above, like) not in self._spare:
            if self._places[above] >= self._most[above] + most_gone:
                like = others
            self._places[above] += 1
        self._spare.setdefault((above, like), []).append(info)

    def _free(self, above: Info | None, like: str) -> Info | None:
        """The info of a module that is gone, for one like it; None if there is none."""
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


def _telling(modules: Modules) -> Callable[[Any], None]:
    """A callback for weak references, that tells of a module that is gone."""

    def gone(ref: Any, block: Any = weakref.ref(modules)) -> None:  # noqa: B008  # bound once
        modules = block()
        if modules is not None:
            modules._leave(ref)

    return gone

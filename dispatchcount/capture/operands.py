"""Which parameters operators use in place of the modules that hold them: a fused encoder layer's, a weight handed to a function.

A module that is never called may still do its part, if an operator of a module around it uses its parameters. Looking at every
operand of every operator would be dear, so it is done where such an operator may be: among those that a module with parts runs
itself, in its first call and, as long as a part of it was neither called nor used, in its later ones.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from dispatchcount.capture.held import children, parameters
from dispatchcount.capture.names import Info, Names


class Watched:
    """A call that is watched: how deep on the stack, of which module, how many of whose parts began no first call in it."""

    __slots__ = ("depth", "info", "left")

    def __init__(self, depth: int, info: Info) -> None:
        self.depth = depth
        self.info = info
        self.left = info.parts


class Operands:
    """Says in which calls operands are to be looked at.

    Attributes:
        watched: these calls, of those that did not end, the innermost last.
    """

    def __init__(self, names: Names, mode: Any) -> None:
        """`mode` looks while its `looking` is True."""
        self.watched: list[Watched] = []
        self._names = names
        self._mode = mode
        self._settled: set[Info] = set()

    def begin(self, info: Info, depth: int) -> None:
        """A call begins, so deep on the stack, that may be the module's first."""
        if self.watched:
            self.watched[-1].left -= self.watched[-1].depth == depth - 1
            self._mode.looking = False
        if info.parts and info not in self._settled:
            self.watched.append(Watched(depth, info))
            self._mode.looking = True

    def end(self, depth: int) -> None:
        """A call ended, inside one that is watched or that one itself; so many still run."""
        watched = self.watched
        while watched and watched[-1].depth > depth:
            last = watched.pop()
            if last.left > 0 or last.info.caller is last.info:
                self._settle(last.info)
            else:
                self._settled.add(last.info)  # all parts were called
        self._mode.looking = bool(watched) and watched[-1].depth == depth

    def _settle(self, info: Info) -> None:
        module = info.module()
        if module is None or not self._idle(module):
            self._settled.add(info)
        elif info.caller is not None:
            info.caller = info  # which it is not, so that its next call comes here, too

    def _idle(self, module: nn.Module) -> bool:
        """True if some part holds parameters and was not called so far, nor was any of them used."""
        parts = self._uncalled(module)
        looked_into: set[int] = set()
        while parts:
            part = parts.pop()
            if id(part) in looked_into:
                continue
            looked_into.add(id(part))
            held = parameters(part)
            if held and not any(tensor in self._names.used for _, tensor in held):
                return True
            parts += self._uncalled(part)
        return False

    def _uncalled(self, module: nn.Module) -> list[nn.Module]:
        infos = self._names.infos
        known = [(part, infos.get(id(part))) for _, part in children(module)]
        return [part for part, info in known if info is None or info.caller is None]

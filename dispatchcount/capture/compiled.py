"""How blocks get along with torch's compiler, while any block is open.

Compiled callables run eagerly, so that their operators are seen, and compile as usual afterwards: without this, torch up to
2.13 marks a compiled callable that is first called under a mode as never to be compiled. A compiled module warns of hooks on
all modules, such as ours; without a profiler the run would not.

All of this is the process's, so blocks in several threads share it. There is no lock: one that is held while torch or an
import runs could wait for a thread that waits for it, and one that a Ctrl-C keeps from being released stays held. So two
threads may both set the stance, one after the other, and all that were set are taken back.
"""

from __future__ import annotations

import re
import sys
import warnings
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, cast

import torch

_COMPILER = "torch._dynamo"


class EagerStance(MetaPathFinder):
    """The process's compiler stance, set while any block is open.

    Loading the compiler takes as long as loading torch, so it is not done for the stance's sake: where a block is open before
    the compiler is loaded, this waits among the import finders until something inside the block loads it.
    """

    def __init__(self) -> None:
        self._open: set[object] = set()
        self._stances: list[Any] = []  # those that were set, in order
        self._quiet = _quiet()
        self._filters: list[Any] = []

    def enter(self, block: object) -> None:
        """A block opens; one that is open already changes nothing."""
        self._open.add(block)
        self._prepare()

    def leave(self, block: object) -> None:
        """A block closes; the last one puts the stance back. One that is closed already changes nothing."""
        self._open.discard(block)
        if not self._open:
            self._withdraw()
            if self._open:  # another thread opened one meanwhile
                self._prepare()

    def step_aside(self) -> None:
        """Let what is compiled now be compiled, until `come_back`. A stance that the user has set in place of ours stays."""
        if self._stances:
            from torch._dynamo import eval_frame

            for ours in self._stances[::-1]:
                if eval_frame._stance is ours.stance:
                    eval_frame._set_stance(ours.prev)

    def come_back(self) -> None:
        """Have compiled callables run eagerly again."""
        if self._stances:
            from torch._dynamo import eval_frame

            for ours in self._stances:
                if eval_frame._stance is ours.prev:
                    eval_frame._set_stance(ours.stance)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Asked for every module that is imported; sees to it that the stance is set once the compiler is loaded."""
        if fullname != _COMPILER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = spec and spec.loader
        if loader is None:
            return None

        def load(module: Any) -> None:
            del loader.exec_module  # back to the class's own
            loader.exec_module(module)
            self._apply()

        loader.exec_module = load
        return spec

    def _prepare(self) -> None:
        if self not in sys.meta_path and _COMPILER not in sys.modules:
            sys.meta_path.insert(0, self)
        self._apply()

    def _apply(self) -> None:
        """Set the stance, if the compiler is there and it is not set."""
        compiler = sys.modules.get(_COMPILER)
        if compiler is None or getattr(compiler.__spec__, "_initializing", False):
            return  # it is being loaded, and `load` comes here after that
        if self._open and not self._stances:
            self._stances.append(torch.compiler.set_stance("force_eager"))
            self._silence()
        if not self._open:  # the last block closed meanwhile
            self._withdraw()

    def _silence(self) -> None:
        """Keep a compiled module from warning of our hooks.

        The filter is put in place without telling Python that filters changed: it would otherwise show warnings again that it
        shows once for each place.
        """
        self._filters = _filters()
        if self._quiet not in self._filters:
            self._filters.insert(0, self._quiet)

    def _withdraw(self) -> None:
        """Put back the stance that was there, unless the user has set another inside the block: that one is the user's."""
        while self in sys.meta_path:
            sys.meta_path.remove(self)
        for filters in (
            self._filters,
            _filters(),
        ):  # the user may have put those aside that ours is in
            filters[:] = [known for known in filters if known is not self._quiet]
        self.step_aside()
        for ours in self._stances:
            # A stance that the user set inside the block, and takes back after it, would bring ours back.
            vars(ours.stance).update(vars(ours.prev))
        self._stances.clear()


def _filters() -> list[Any]:
    found: Any = warnings.filters  # a list, whatever else its type is said to be
    return cast(list[Any], found)


def _quiet() -> tuple[Any, ...]:
    """A filter on the very text of the warning that a compiled module gives of hooks on all modules."""
    return (
        "ignore",
        re.compile(r"Using `torch\.compile\(module\)` when there are global hooks on modules"),
        UserWarning,
        None,
        0,
    )


STANCE = EagerStance()

"""How blocks get along with torch's compiler while any block is open.

Compiled callables run eagerly, so that their operators are seen, and compile as usual afterwards.
Without this, torch up to 2.13 marks a compiled callable that is first called under a mode as never
to be compiled. Also, a compiled module warns of hooks on all modules, such as ours. Without a
profiler the run would not warn, so the warning is kept from showing.

The stance and the warning filters are the process's, so blocks in several threads share them. There
is no lock: one that is held while torch or an import runs could wait for a thread that waits for
it, and one that a Ctrl-C keeps from being released would stay held. So two threads may both set the
stance, one after the other. All the stances that were set are remembered and taken back.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, cast

import torch

from dispatchcount.capture.torch_private import COMPILER, compiler_stance, set_compiler_stance

Filter = tuple[Any, ...]
"""An entry of `warnings.filters`."""


class EagerStance(MetaPathFinder):
    """The process's compiler stance, set while any block is open.

    Loading the compiler takes as long as loading torch, so it is not loaded only to set its stance.
    Where a block is open before the compiler is loaded, this object waits among the import finders
    until something inside the block loads it.
    """

    def __init__(self) -> None:
        self._open: set[object] = set()
        self._loaded = False  # True once `load` has loaded the compiler
        self._stances: list[Any] = []  # those that were set, in order
        self._quiet = _quiet()
        self._filters: list[Filter] = []  # the list that `_quiet` was put into

    def enter(self, block: object) -> None:
        """A block opens. If it is open already, nothing changes."""
        self._open.add(block)
        self._prepare()

    def leave(self, block: object) -> None:
        """A block closes; the last one puts the stance back. If it is closed, nothing changes."""
        self._open.discard(block)
        if not self._open:
            self._withdraw()
            if self._open:  # another thread opened one meanwhile
                self._prepare()

    def step_aside(self) -> None:
        """Let what is compiled now be compiled, until `come_back`.

        A stance that the user has set in place of ours stays.
        """
        for ours in self._stances[::-1]:
            if compiler_stance() is ours.stance:
                set_compiler_stance(ours.prev)

    def come_back(self) -> None:
        """Have compiled callables run eagerly again."""
        for ours in self._stances:
            if compiler_stance() is ours.prev:
                set_compiler_stance(ours.stance)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is to be loaded from: Python asks this of every finder, at every import.

        For all modules but the compiler the answer is None, and Python asks the next finder. For
        the compiler it is what Python would have found, with a loader that sets the stance once the
        compiler is loaded.
        """
        if fullname != COMPILER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = spec and spec.loader
        if loader is None:
            return None

        # A loader runs a module's code in `exec_module`. An attribute of that name on this one
        # loader hides its class's method. Whatever looks at the spec later finds the loader as it
        # would have been, for the attribute is gone before the module's code runs.
        def load(module: ModuleType) -> None:
            del loader.exec_module
            loader.exec_module(module)
            self._loaded = True
            self._apply()

        loader.exec_module = load
        return spec

    def _prepare(self) -> None:
        """Set the stance, or wait for the compiler to be loaded."""
        if self not in sys.meta_path and COMPILER not in sys.modules:
            sys.meta_path.insert(0, self)
        self._apply()

    def _apply(self) -> None:
        """Set the stance, if the compiler is loaded and the stance is not set yet."""
        # While the compiler is being loaded there is no stance to set. `load` comes here when it is
        # loaded, although Python marks the module as being initialized for a little longer.
        compiler = sys.modules.get(COMPILER)
        if compiler is None:
            return
        if getattr(compiler.__spec__, "_initializing", False) and not self._loaded:
            return
        if self._open and not self._stances:
            self._stances.append(torch.compiler.set_stance("force_eager"))
            self._silence()
        if not self._open:  # the last block closed meanwhile
            self._withdraw()

    def _silence(self) -> None:
        """Keep a compiled module from warning of our hooks.

        Warnings that Python shows once for each place would be shown again if Python were told that
        filters changed, as `warnings.filterwarnings` does. So the filter is put into the list.
        """
        self._filters = _filters()
        if self._quiet not in self._filters:
            self._filters.insert(0, self._quiet)

    def _withdraw(self) -> None:
        """Put back the stance that was there before the first block.

        A stance that the user has set inside the block is the user's, and stays.
        """
        # 1. Wait for the compiler no longer.
        while self in sys.meta_path:
            sys.meta_path.remove(self)
        # 2. Take our filter out of the list that it was put into, and out of the one in use: a user
        #    inside `warnings.catch_warnings` has another list, which may be a copy of that one.
        for filters in (self._filters, _filters()):
            filters[:] = [known for known in filters if known is not self._quiet]
        # 3. Put back the stance.
        self.step_aside()
        # 4. A stance that the user set inside the block remembers ours, and would bring it back
        #    when the user takes that one off after the block. So ours is turned into what was
        #    there before it.
        for ours in self._stances:
            vars(ours.stance).update(vars(ours.prev))
        self._stances.clear()


def _filters() -> list[Filter]:
    """The warning filters in use. They are a list, although their type says less."""
    found: Any = warnings.filters
    return cast(list[Filter], found)


def _quiet() -> Filter:
    """A filter on the very text of the warning that a compiled module gives of our hooks."""
    return (
        "ignore",
        re.compile(r"Using `torch\.compile\(module\)` when there are global hooks on modules"),
        UserWarning,
        None,
        0,
    )


STANCE = EagerStance()

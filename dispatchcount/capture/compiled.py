"""Compiled callables run eagerly while a block is open, so that their operators are seen, and compile as usual afterwards.

Without this, torch up to 2.13 marks a compiled callable that is first called under a mode as never to be compiled.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import Lock
from typing import Any

import torch

_COMPILER = "torch._dynamo"


class EagerStance(MetaPathFinder):
    """The process's compiler stance, set while any block is open. Stances are the process's, so blocks in threads share one.

    Loading the compiler takes as long as loading torch, so it is not done for the stance's sake: where a block is open before
    the compiler is loaded, this waits among the import finders until something inside the block loads it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._open = 0
        self._stance: Any = None

    def enter(self) -> None:
        """A block opens."""
        with self._lock:
            self._open += 1
            if self._open == 1:
                if _COMPILER in sys.modules:
                    self._stance = torch.compiler.set_stance("force_eager")
                else:
                    sys.meta_path.insert(0, self)

    def leave(self) -> None:
        """A block closes; the last one puts the stance back."""
        with self._lock:
            self._open -= 1
            if not self._open:
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                if self._stance is not None:
                    self._stance.__exit__(None, None, None)
                    self._stance = None

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
            with self._lock:
                if self._open and self._stance is None:
                    self._stance = torch.compiler.set_stance("force_eager")

        loader.exec_module = load
        return spec


STANCE = EagerStance()

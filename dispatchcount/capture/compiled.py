"""Compiled callables run eagerly while a block is open, so that their operators are seen, and compile as usual afterwards.

Without this, torch up to 2.13 marks a compiled callable that is first called under a mode as never to be compiled.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any

import torch


class EagerStance:
    """The process's compiler stance, set while any block is open. Stances are the process's, so blocks in threads share one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open = 0
        self._stance: Any = None

    def enter(self) -> None:
        """A block opens."""
        with self._lock:
            self._open += 1
        self.refresh()

    def refresh(self) -> None:
        """Set the stance if the compiler has been loaded since; loading it here would cost every user a second."""
        if self._stance is None and "torch._dynamo" in sys.modules:
            with self._lock:
                if self._stance is None and self._open:
                    self._stance = torch.compiler.set_stance("force_eager")

    def leave(self) -> None:
        """A block closes; the last one puts the stance back."""
        with self._lock:
            self._open -= 1
            if not self._open and self._stance is not None:
                self._stance.__exit__(None, None, None)
                self._stance = None


STANCE = EagerStance()

"""Steps aside while torch's compiler reads a model's Python code, as ``torch.export`` has it do in strict mode.

It reads the code as if it ran, and refuses a model while there are hooks on all modules. One of the last things that happen
before it looks for hooks is that torch puts the model into a module of its own, which a hook on the registration of modules
sees. When that module is gone, the code has been read.

What torch works out meanwhile, on fake tensors, is no run of the model. ``torch.export`` then runs the graph that was read, on
fake tensors again, and that is counted.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from threading import get_ident
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from dispatchcount.capture.compiled import STANCE
from dispatchcount.capture.frames import in_compiler_export

NOTE = "torch's compiler read a model's code in this block: what it worked out while it did is not counted"


class ExportWatch:
    """Sees to it that a block is out of the way while the compiler reads code, in whatever thread.

    Attributes:
        parties: for each part of a block that has hooks on modules, what takes them off and what puts them back.
        reading: the threads in which code is being read.
    """

    def __init__(self, skip: Callable[[bool], None], notes: dict[str, None]) -> None:
        """`skip` is called with True when nothing is to be counted in this thread, and with False when it is again."""
        self.parties: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.reading: set[int] = set()
        self._skip = skip
        self._notes = notes
        self._thread = get_ident()
        self._handles: list[Any] = []
        self._modules: dict[int, Any] = {}

    def install(self) -> None:
        """Put the hook on."""
        self._handles.append(register_module_module_registration_hook(self._registered))

    def remove(self) -> None:
        """Take it off. Who is out of the way stays there."""
        for handle in self._handles:
            handle.remove()
        self._modules.clear()
        self.reading.clear()

    def check(self) -> None:
        """Come back if the code has been read, or an exception ended that: the exception may keep the module alive."""
        for thread in list(self.reading):
            if not in_compiler_export(thread):
                self._done(thread)

    def _registered(self, module: nn.Module, name: str, part: Any) -> None:
        if not _is_to_be_read(module):
            return
        thread = get_ident()
        self._modules[thread] = weakref.ref(module, lambda _: self._done(thread))
        if thread in self.reading:
            return
        if not self.reading:
            self._notes[NOTE] = None
            STANCE.step_aside()
            for leave, _ in self.parties:
                leave()
        self.reading.add(thread)
        self._skip(thread == self._thread)

    def _done(self, thread: int) -> None:
        if thread not in self.reading:
            return
        self.reading.discard(thread)
        self._modules.pop(thread, None)
        if not self.reading:
            STANCE.come_back()
            for _, back in self.parties:
                back()
        self._skip(False)


def _is_to_be_read(module: nn.Module) -> bool:
    """True for the module that torch puts a model into whose code is about to be read.

    For ``torch.export`` since torch 2.9 that is a class of its own. Before, and for ``torch._dynamo.export`` still, it is the
    class of any compiled module.
    """
    kind = type(module)
    if kind is _class("torch._dynamo.functional_export", "ModuleToTrace"):
        return True
    return kind is _class("torch._dynamo.eval_frame", "OptimizedModule") and in_compiler_export(
        get_ident()
    )


def _class(home: str, name: str) -> Any:
    return getattr(sys.modules.get(home), name, Any)

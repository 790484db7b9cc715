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
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from dispatchcount.capture.frames import in_compiler_export

NOTE = "torch's compiler read a model's code in this block: what it worked out while it did is not counted"


class ExportWatch:
    """Calls `step_aside` when the compiler is about to read a model's code, and `come_back` when it has."""

    def __init__(self, step_aside: Callable[[], None], come_back: Callable[[], None]) -> None:
        self._step_aside = step_aside
        self._come_back = come_back
        self._handles: list[Any] = []
        self._reading: dict[int, Any] = {}

    def install(self) -> None:
        """Put the hook on."""
        self._handles.append(register_module_module_registration_hook(self._registered))

    def remove(self) -> None:
        """Take it off. Who is aside stays aside."""
        for handle in self._handles:
            handle.remove()
        self._reading.clear()

    def _registered(self, module: nn.Module, name: str, part: Any) -> None:
        if not _is_to_be_read(module):
            return
        key = id(module)
        self._reading[key] = weakref.ref(module, lambda _: self._done(key))
        if len(self._reading) == 1:
            self._step_aside()

    def _done(self, key: int) -> None:
        if self._reading.pop(key, None) is not None and not self._reading:
            self._come_back()


def _is_to_be_read(module: nn.Module) -> bool:
    """True for the module that torch puts a model into whose code is about to be read.

    For ``torch.export`` since torch 2.9 that is a class of its own. Before, and for ``torch._dynamo.export`` still, it is the
    class of any compiled module.
    """
    kind = type(module)
    if kind is _class("torch._dynamo.functional_export", "ModuleToTrace"):
        return True
    return kind is _class("torch._dynamo.eval_frame", "OptimizedModule") and in_compiler_export()


def _class(home: str, name: str) -> Any:
    return getattr(sys.modules.get(home), name, Any)

"""Steps aside while torch's compiler reads a model's Python code, as strict ``torch.export`` asks.

The compiler reads the code as if it ran, and refuses a model while there are hooks on all modules.
So the block must take its hooks off before the compiler looks for them. One of the last things that
happen before that is that torch puts the model into a module of its own, and a hook on the
registration of modules sees this. When that module is gone, the code has been read.

What torch works out meanwhile, on fake tensors, is not a run of the model, and is not counted. Then
``torch.export`` runs the graph that was read, on fake tensors again, and that is counted.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from threading import get_ident

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.utils.hooks import RemovableHandle

from dispatchcount.capture.compiled import STANCE
from dispatchcount.capture.frames import in_compiler_export
from dispatchcount.capture.torch_private import loaded

NOTE = (
    "torch's compiler read a model's code in this block:"
    " what it worked out while it did is not counted"
)


class ExportWatch:
    """Keeps a block out of the way while the compiler reads code, in whatever thread.

    Attributes:
        parties: for each part of the block that has hooks on modules, a function that takes them
            off and one that puts them back.
        reading: the threads in which the compiler is reading code.
    """

    def __init__(self, skip: Callable[[bool], None], notes: dict[str, None]) -> None:
        """Nothing is watched before `install`.

        Args:
            skip: a method. It is called with True when nothing more is to be counted in the block's
                thread, and with False when counting goes on. Another thread has nothing to
                skip: there `skip` is called with False at both ends.
            notes: the report's notes. An export adds one.
        """
        self.parties: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.reading: set[int] = set()
        self._skip_weakly = weakref.WeakMethod(skip)  # its owner owns this
        self._notes = notes
        self._thread = get_ident()
        self._handles: list[RemovableHandle] = []
        self._modules: dict[int, weakref.ref[nn.Module]] = {}

    def install(self) -> None:
        """Put the hook on."""
        self._handles.append(register_module_module_registration_hook(self._registered))

    def remove(self) -> None:
        """Take the hook off. Parts that are out of the way stay there: the block is over."""
        for handle in self._handles:
            handle.remove()
        self._modules.clear()
        self.reading.clear()

    def check(self) -> None:
        """Come back where the compiler is no longer at work.

        An exception may have ended the reading and keep the module alive that torch made for it,
        so the stack is looked at.
        """
        for thread in list(self.reading):
            if not in_compiler_export(thread):
                self._done(thread)

    def _registered(self, module: nn.Module, name: str, part: nn.Module) -> None:
        """The hook: torch calls it whenever a module is put into another."""
        if not _is_to_be_read(module):
            return
        thread = get_ident()
        # The compiler has read the code when torch drops its module.
        self._modules[thread] = weakref.ref(module, lambda _: self._done(thread))
        if thread in self.reading:
            return
        # The first thread to export gets the hooks, which all threads share, out of the way.
        if not self.reading:
            self._notes[NOTE] = None
            STANCE.step_aside()
            for leave, _ in self.parties:
                leave()
        self.reading.add(thread)
        self._skip(thread == self._thread)

    def _skip(self, skipping: bool) -> None:
        skip = self._skip_weakly()
        if skip is not None:
            skip(skipping)

    def _done(self, thread: int) -> None:
        """The compiler has read the code in that thread. The last thread brings the hooks back."""
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

    For ``torch.export`` since torch 2.9 that is a class of its own. Before, and for
    ``torch._dynamo.export`` still, it is the class of any compiled module.
    """
    kind = type(module)
    if kind is loaded("torch._dynamo.functional_export", "ModuleToTrace"):
        return True
    return kind is loaded("torch._dynamo.eval_frame", "OptimizedModule") and in_compiler_export(
        get_ident()
    )

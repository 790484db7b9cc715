"""Profiles a part of a program: some calls of its root module, after others that are passed by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dispatchcount.profiler import Profile


class Window:
    """Opens a profile after so many calls of the root, and closes it after so many more.

    The root is the first module with parameters that the program calls while no other module is
    running. What follows a call belongs to it: in training, a call is over when the optimizer has
    made its step; elsewhere as soon as it returns.

    Attributes:
        calls: calls of the root that are over.
        counted: those of them that were profiled.
    """

    def __init__(self, prof: Profile, skip: int, steps: int | None) -> None:
        self.calls = self.counted = 0
        self._prof = prof
        self._skip = skip
        self._last = None if steps is None else skip + steps
        self._thread = get_ident()
        self._root: nn.Module | None = None
        # The modules that are running, the outermost first.
        self._running: list[nn.Module] = []
        # True while a training call has returned and the optimizer has not made its step.
        self._awaits_optimizer = False
        # The hook on each optimizer that made a step, by the optimizer's id.
        self._on_optimizers: dict[int, Any] = {}
        self._block = ExitStack()
        self._is_open = False

    @property
    def root(self) -> str:
        """The class of the root, ``""`` if no module ran."""
        return "" if self._root is None else type(self._root).__name__

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Follow the calls of the program that runs inside."""
        handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
            register_optimizer_step_pre_hook(self._before_step),
        ]
        try:
            with self._block:
                self._turn()
                yield
        finally:
            for handle in [*handles, *self._on_optimizers.values()]:
                handle.remove()

    def _enter(self, module: nn.Module, args: Any) -> None:
        if get_ident() != self._thread:
            return
        if not self._running and self._awaits_optimizer and self._is_root(module):
            self._over()  # The call before had no step of an optimizer: gradients add up.
        self._running.append(module)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if get_ident() != self._thread or not any(module is one for one in self._running):
            return
        # A call that an exception ended may have left modules behind on the list.
        while self._running.pop() is not module:
            pass
        if self._running or not self._is_root(module):
            return
        if module.training and torch.is_grad_enabled():
            self._awaits_optimizer = True
        else:
            self._over()

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        # A profile puts a hook on all optimizers. It can be opened in a hook of this optimizer
        # alone, but not in a hook on all: torch is walking over those then.
        if id(optimizer) not in self._on_optimizers:
            hook = optimizer.register_step_post_hook(self._after_step)
            self._on_optimizers[id(optimizer)] = hook

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if get_ident() == self._thread and self._awaits_optimizer:
            self._over()

    def _is_root(self, module: nn.Module) -> bool:
        if self._root is None and next(module.parameters(), None) is not None:
            self._root = module
        return module is self._root

    def _over(self) -> None:
        """A call of the root is over, and what follows it."""
        self._awaits_optimizer = False
        self.calls += 1
        self.counted += self._is_open
        self._turn()

    def _turn(self) -> None:
        """Open or close the profile if it is time to."""
        if self.calls == self._skip and not self._is_open:
            self._is_open = True
            self._block.enter_context(self._prof)
        elif self._is_open and self.calls == self._last:
            self._is_open = False
            self._block.close()

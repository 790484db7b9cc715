"""The stack of module calls, kept by hooks on all modules at once.

Hooks on single modules would change what runs (fused encoder layers look for them) and would miss
modules that are made inside the block.
"""

from __future__ import annotations

import weakref
from threading import get_ident
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from dispatchcount.capture.activity import Activity
from dispatchcount.capture.attribution import Attribution
from dispatchcount.capture.frames import call_kwargs, module_calls
from dispatchcount.capture.inputs import input_shapes, output_shapes, plain_shapes
from dispatchcount.capture.modules import Modules
from dispatchcount.capture.record import Recording
from dispatchcount.capture.recorder import Recorder
from dispatchcount.capture.tape import LIMIT, Tape
from dispatchcount.capture.torch_private import (
    count_function_modes,
    dispatch_modes,
    graph_task,
    is_tracing,
    next_sequence,
)

_TENSOR = torch.Tensor


ELSEWHERE = (
    "modules also ran in other threads, and that is not counted here: "
    "open a block in each thread and merge the reports"
)


class Bypass(Protocol):
    """Lets operators by uncounted: the part of `CountingMode` that the stack uses."""

    @property
    def aside(self) -> bool:
        """True while everything is let by."""

    def skip(self, skipping: bool) -> None:
        """Let everything by from here on, until told otherwise as often."""


class ModuleStack:
    """Follows one thread's module calls.

    A signal handler or a finalizer may run modules and operators at any of our lines. What is only
    noted on the tape is noted then, too. What would change the stack or the tree, while a line of
    ours is about to, is let by uncounted.

    Attributes:
        tape: gets module calls, and their operators, of the forward phase.
        recorder: gets all other operators.
        attribution: finds the modules that backward passes work for.
    """

    def __init__(
        self, modules: Modules, recording: Recording, bypass: Bypass, *, direct: bool
    ) -> None:
        """`direct`: True if no operator may wait on the tape."""
        activity = Activity()
        self.tape = Tape(recording, direct=direct)
        self.attribution = Attribution(modules, recording, self.tape)
        self.recorder = Recorder(recording, self.tape, activity, self.attribution, direct=direct)
        self._modules = modules
        self._infos = modules.infos
        self._recording = recording
        # Weakly: a block that is over is freed at once then, and not when Python looks for cycles.
        self._bypass = weakref.ref(bypass)
        self._activity = activity
        # Lists of the activity, which are never replaced.
        self._stack = activity.stack
        self._in_backward = activity.in_backward
        self._steps_taken = activity.steps.taken
        self._thread = get_ident()
        self._handles: list[Any] = []
        self._on_modules: list[Any] = []
        # How many module calls began before the block did.
        self._outer = 0
        # Ids of modules whose calls began while a line of ours was at work.
        self._let_by: list[int] = []

    def install(self) -> None:
        """Put the hooks on; `remove` takes them off."""
        self.watch_modules()
        self._handles.append(register_optimizer_step_pre_hook(self._enter_step))
        self._handles.append(register_optimizer_step_post_hook(self._leave_step))
        self.tape.intervals.mark(self._recording.tree, next_sequence())
        self._outer, self._activity.outer_pass = module_calls(), graph_task()

    def remove(self) -> None:
        """Take the hooks off."""
        self.leave_modules()
        for handle in self._handles:
            handle.remove()

    def watch_modules(self) -> None:
        """Put the hooks on modules on, the first of those that `install` does."""
        self._on_modules.append(register_module_forward_pre_hook(self._enter))
        self._on_modules.append(register_module_forward_hook(self._leave, always_call=True))

    def leave_modules(self) -> None:
        """Take the hooks on modules off, for as long as there must be none."""
        for handle in self._on_modules:
            handle.remove()

    def is_free(self) -> bool:
        """True if nothing is let by (any longer).

        A call that was let by may have been ended by an exception, without a hook.
        """
        if self._let_by and self.tape.worker != get_ident():
            for _ in range(len(self._let_by)):
                self._let_by.pop()
                self._skip(False)
        bypass = self._bypass()
        return bypass is None or not bypass.aside

    def _elsewhere(self) -> bool:
        """True if this thread's operators do not reach the mode.

        Hooks belong to the process, modes to a thread.

        Backward on an accelerator runs in the engine's own threads, to which torch takes the mode
        along.
        """
        if get_ident() == self._thread:
            return False
        return self._bypass() not in dispatch_modes()

    def _note_elsewhere(self, module: nn.Module) -> None:
        """Say that a module of the model runs in a thread whose operators do not reach the mode.

        That is no gap where a block of that thread counts them. `DataParallel` makes copies of the
        modules, one for each thread.
        """
        info = self._infos.get(id(module))
        ours = info is not None and info.ref() is module
        if ours or getattr(module, "_is_replica", False):
            kind = type(self._bypass())
            if not any(isinstance(mode, kind) for mode in dispatch_modes()):
                self._recording.notes[ELSEWHERE] = None

    def _skip(self, skipping: bool) -> None:
        bypass = self._bypass()
        if bypass is not None:
            bypass.skip(skipping)

    def _enter(self, module: nn.Module, args: Any) -> None:
        """The hook that torch runs before each module's forward."""
        thread = get_ident()
        if thread != self._thread and self._elsewhere():
            self._note_elsewhere(module)
            return
        # What were its inputs? Most modules take one plain tensor, and nothing can be watching its
        # shape being read.
        info = self._infos.get(id(module))
        if (
            info is None
            or info.many
            or len(args) != 1
            or type(args[0]) is not _TENSOR
            or count_function_modes()
            or is_tracing()
        ):
            kwargs = call_kwargs()
            plain = not count_function_modes() and not is_tracing()
            inputs: Any = plain_shapes(args, kwargs) if plain else input_shapes(args, kwargs)
        else:
            try:
                inputs = args[0].shape
            except RuntimeError:  # nested tensors have no shape
                inputs = input_shapes(args, {})
        # Where was it called from? In the forward phase a module that is a part of the innermost
        # call is called by it.
        if (
            info is None
            or info.ref() is not module
            or self._in_backward
            or self._steps_taken
            or graph_task() != -1
        ):
            self._enter_directly(module, inputs)
            return
        stack = self._stack
        if not stack:
            self.tape.used = self._modules.used
            self.recorder.look_for_set_up()
        elif info.caller is not stack[-1]:
            if not info.inside(stack[-1]):
                self._enter_directly(module, inputs)
                return
            info.caller = stack[-1]
        stack.append(info)
        self.tape.events.append((info, inputs, next_sequence()))
        if len(self.tape.events) >= LIMIT:
            self.tape.settle()

    def _enter_directly(self, module: nn.Module, inputs: Any) -> None:
        """Begin a call that `_enter` cannot note on the tape.

        The module is not known or not known to be called from here, or the call is not part of the
        forward phase.
        """
        tape, thread = self.tape, get_ident()
        before = tape.worker
        if before == thread:
            self._let_by.append(id(module))
            self._skip(True)
            return
        tape.worker = thread
        try:
            tape.settle()
            info = self._modules.info(module)
            # The stack may be stale: calls that an exception ended altogether left it without a
            # hook.
            if self._stack and (
                info is None or not (info.inside(self._stack[-1]) or tape.node.called(info))
            ):
                self._drop_stopped()
            if info is None:
                info = self._modules.meet(module, tape.node.info)
            if self._steps_taken and not self._stack:
                self._activity.steps.drop_stopped()
                self.recorder.choose_way()
            # Its caller is the innermost call; or, where a checkpoint runs a module again, the
            # caller of the first run.
            task = self._activity.task()
            if task == -1 or self._activity.begun_in(task) or not torch.is_grad_enabled():
                caller = tape.node
            else:
                caller = self.attribution.caller(info)
            info.caller = self._stack[-1] if self._stack else None
            self.tape.used = self._modules.used
            self._stack.append(info)
            if task != -1:
                self._in_backward.append((len(self._stack), task))
            tape.callers.append(tape.node)
            tape.node = tape.begin(caller, info, inputs)
            tape.intervals.mark(tape.node, next_sequence())
        finally:
            tape.worker = before

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        """The hook that torch runs after each module's forward, also if that raised."""
        thread = get_ident()
        if thread != self._thread and self._elsewhere():
            return
        if self._let_by and self._let_by[-1] == id(module):
            self._let_by.pop()
            self._skip(False)
            return
        stack = self._stack
        if not stack or stack[-1].ref() is not module:
            self._unwind(module)
            if not stack or stack[-1].ref() is not module:
                # The call began before the block did.
                self._outer = max(0, self._outer - 1)
                return
        # What does it return? As with its inputs, nothing must be watching the shape being read.
        if type(result) is _TENSOR and not count_function_modes() and not is_tracing():
            try:
                self.tape.events.append(result.shape)
            except RuntimeError:  # nested tensors have no shape
                self._return(result)
        elif result is not None:
            self._return(result)
        if self._in_backward or self._steps_taken:
            self._pop()
        else:
            stack.pop()
            self.tape.events.append(next_sequence())
        if not stack:
            self.tape.used = set()

    def _return(self, result: Any) -> None:
        """Note the shapes in a result that is no plain tensor, if there are any."""
        shapes = output_shapes(result)
        if shapes is not None:
            self.tape.events.append([shapes])

    def _unwind(self, module: nn.Module) -> None:
        """Drop calls inside `module`'s that ended without a hook.

        Exceptions that are not an `Exception` skip the hooks.
        """
        if any(info.module() is module for info in self._stack):
            while self._stack[-1].module() is not module:
                self._pop()

    def _drop_stopped(self) -> None:
        """Drop calls that an exception ended altogether: those that Python's stack no longer has.

        This is checked only when a module calls one that is not its descendant, the sign that the
        stack is stale.
        """
        if self._activity.task() == -1:
            for _ in range(len(self._stack) - (module_calls() - 1 - self._outer)):
                self._pop()

    def _pop(self) -> None:
        """End the innermost call at once."""
        tape = self.tape
        before, tape.worker = tape.worker, get_ident()
        try:
            tape.settle()
            if self._in_backward and self._in_backward[-1][0] == len(self._stack):
                self._in_backward.pop()
            self._stack.pop()
            tape.node = tape.callers.pop()
            tape.intervals.mark(tape.node, next_sequence())
        finally:
            tape.worker = before

    def _enter_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """The hook that torch runs before each step of an optimizer."""
        if not self._elsewhere():
            activity = self._activity
            activity.steps.begin((len(activity.stack), activity.task()), args, kwargs)
            self.recorder.choose_way()

    def _leave_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """The hook that torch runs after each step of an optimizer."""
        if not self._elsewhere():
            self._activity.steps.end()
            self.recorder.choose_way()

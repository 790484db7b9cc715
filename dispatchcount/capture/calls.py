"""The stack of module calls, kept by hooks on all modules at once, and where in the record an operator goes.

Per-module hooks would change what runs (fused encoder layers look for them) and would miss modules made inside the block.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from dispatchcount.capture.autograd import (
    ACCUMULATES,
    at_end_of_backward,
    current_node,
    graph_task,
    next_sequence,
    sequence_of,
)
from dispatchcount.capture.frames import call_kwargs, in_checkpoint, module_calls
from dispatchcount.capture.held import entries_of, parameter_named
from dispatchcount.capture.inputs import input_shapes, plain_shapes
from dispatchcount.capture.names import Info, Names
from dispatchcount.capture.optimizer_steps import OptimizerSteps
from dispatchcount.capture.record import (
    BACKWARD,
    DOUBLE_BACKWARD,
    OPTIMIZER,
    RECOMPUTE,
    Node,
    Place,
    Recording,
    Signature,
    Table,
)
from dispatchcount.capture.tape import LIMIT, Tape
from dispatchcount.capture.tracing import is_tracing

_TENSOR = torch.Tensor
_function_modes: Callable[[], int] = torch._C._len_torch_function_stack


class Calls:
    """Follows one thread's module calls.

    A signal handler or a finalizer may run modules and operators at any of our lines. What is only noted on the tape is noted
    then, too. What would change the stack or the tree, while a line of ours is about to, is let by uncounted.

    Attributes:
        tape: what they and their operators are noted on in the forward phase.
    """

    def __init__(self, names: Names, recording: Recording, mode: Any) -> None:
        self.names = names
        self.tape = Tape(recording)
        self._infos = names.infos
        self._root = recording.tree
        self._recording = recording
        self._mode = mode
        self._stack: list[Info] = []
        self._in_backward: list[
            tuple[int, int]
        ] = []  # of the calls begun in a backward pass: depth, and the pass
        self._steps = OptimizerSteps()
        self._steps_taken = self._steps.taken
        self._thread = get_ident()
        self._intervals = self.tape.intervals
        self._handles: list[Any] = []
        self._on_modules: list[Any] = []
        self._backward: tuple[int, Table] | None = (
            None  # by number: a node would keep its saved tensors alive
        )
        self._passes: dict[
            int, int
        ] = {}  # backward passes that build a graph: autograd's counter at the latest operator
        self._owners: dict[
            int, tuple[Info | None, str]
        ] = {}  # of parameters, by id, with their names
        self._outer = 0  # module calls that began before the block did
        self._outer_pass = -1  # the backward pass in which the block began
        self._let_by: list[
            int
        ] = []  # ids of modules whose calls began while a line of ours was at work
        self._checkpoints = False  # whether functions, not modules alone, were seen to be run again

    @property
    def node(self) -> Node:
        """The innermost call running."""
        self.tape.settle()
        return self.tape.node

    def install(self) -> None:
        """Put the hooks on; `remove` takes them off."""
        self.watch_modules()
        self._handles.append(register_optimizer_step_pre_hook(self._enter_step))
        self._handles.append(register_optimizer_step_post_hook(self._leave_step))
        self._intervals.mark(self._root, next_sequence())
        self._outer, self._outer_pass = module_calls(), graph_task()

    def remove(self) -> None:
        """Take the hooks off."""
        self.leave_modules()
        for handle in self._handles:
            handle.remove()

    def is_free(self) -> bool:
        """True if nothing is let by (any longer): who was let by may have been ended by an exception, without a hook."""
        if self._let_by and self.tape.worker != get_ident():
            for _ in range(len(self._let_by)):
                self._let_by.pop()
                self._mode.skip(False)
        return not self._mode.aside

    def watch_modules(self) -> None:
        """Put the hooks on modules on, the first of those that `install` does."""
        self._on_modules.append(register_module_forward_pre_hook(self._enter))
        self._on_modules.append(register_module_forward_hook(self._leave, always_call=True))

    def leave_modules(self) -> None:
        """Take the hooks on modules off, for as long as there must be none."""
        for handle in self._on_modules:
            handle.remove()

    def unfinished(self) -> list[Node]:
        """The calls that did not end yet, outermost first."""
        node = self.node
        return [*self.tape.callers[1:], node] if self.tape.callers else []

    def count(self, signature: Signature, task: int) -> Place | None:
        """Put an operator that runs in the backward pass `task` into the tree; None if a line of ours was at work."""
        tape, thread = self.tape, get_ident()
        before = tape.worker
        if before == thread:
            return None
        tape.worker = thread
        try:
            if tape.events:
                tape.settle()
            table = self._table(task)
            count = table.get(signature)
            if count is None:
                self._recording.new(table, signature)
            else:
                table[signature] = count + 1
            return table, signature
        finally:
            tape.worker = before

    def _table(self, task: int) -> Table:
        """Where an operator that runs now, in the backward pass `task`, is recorded."""
        if task == self._outer_pass:
            task = -1
        if self._steps_taken and self._steps.at_work((len(self._stack), task)):
            return self.tape.node.table(OPTIMIZER)
        if task == -1:
            return self.tape.node.forward
        if self._in_backward and self._begun_in(task):
            return self.tape.node.table(RECOMPUTE)
        return self._backward_table(task)

    def _task(self) -> int:
        """The backward pass that runs, -1 if none that began after the block did."""
        task = graph_task()
        return -1 if task == self._outer_pass else task

    def _begun_in(self, task: int) -> bool:
        """True if the innermost call began in that very backward pass; in one that it runs itself, it did not."""
        return bool(self._in_backward) and self._in_backward[-1] == (len(self._stack), task)

    def _elsewhere(self) -> bool:
        """Whether this thread's operators do not reach the mode (hooks are the process's, modes the thread's).

        Backward on an accelerator runs in the engine's own threads, to which torch takes the mode along.
        """
        if get_ident() == self._thread:
            return False
        stack = torch.utils._python_dispatch._get_current_dispatch_mode_stack()
        return self._mode not in stack

    def _enter(self, module: nn.Module, args: Any) -> None:
        thread = get_ident()
        if thread != self._thread and self._elsewhere():
            return
        info = self._infos.get(id(module))
        if (
            info is None
            or info.many
            or len(args) != 1
            or type(args[0]) is not _TENSOR
            or _function_modes()
            or is_tracing()
        ):
            kwargs = call_kwargs()
            plain = not _function_modes() and not is_tracing()
            signature: Any = plain_shapes(args, kwargs) if plain else input_shapes(args, kwargs)
        else:
            try:
                signature = args[0].shape
            except RuntimeError:  # nested tensors have none
                signature = input_shapes(args, {})
        if (
            info is None
            or info.ref() is not module
            or self._in_backward
            or self._steps_taken
            or graph_task() != -1
        ):
            self._enter_directly(module, signature)
            return
        stack = self._stack
        if not stack:
            self._mode.used = self.names.used
        elif info.caller is not stack[-1]:
            if not info.inside(stack[-1]):
                self._enter_directly(module, signature)
                return
            info.caller = stack[-1]
        stack.append(info)
        self.tape.events.append((info, signature, next_sequence()))
        if len(self.tape.events) >= LIMIT:
            self.tape.settle()

    def _enter_directly(self, module: nn.Module, signature: Any) -> None:
        """A call of a module not known or not known to be called from here, or one that is not part of the forward phase."""
        tape, thread = self.tape, get_ident()
        before = tape.worker
        if before == thread:
            self._let_by.append(id(module))
            self._mode.skip(True)
            return
        tape.worker = thread
        try:
            tape.settle()
            info = self.names.info(module)
            # The stack may be stale: calls that an exception ended altogether left it without a hook.
            if self._stack and (
                info is None or not (info.inside(self._stack[-1]) or tape.node.called(info))
            ):
                self._drop_stopped()
            if info is None:
                info = self.names.meet(module, tape.node.info)
            if self._steps_taken and not self._stack:
                self._steps.drop_stopped()
                self._choose_way()
            # Its caller is the innermost call, or the one that this backward pass goes back to.
            task = self._task()
            caller = tape.node if task == -1 else self._caller_in_backward(task, info)
            info.caller = self._stack[-1] if self._stack else None
            self._mode.used = self.names.used
            self._stack.append(info)
            if task != -1:
                self._in_backward.append((len(self._stack), task))
            tape.callers.append(tape.node)
            tape.node = tape.begin(caller, info, signature)
            self._intervals.mark(tape.node, next_sequence())
        finally:
            tape.worker = before

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        thread = get_ident()
        if thread != self._thread and self._elsewhere():
            return
        if self._let_by and self._let_by[-1] == id(module):
            self._let_by.pop()
            self._mode.skip(False)
            return
        stack = self._stack
        if not stack or stack[-1].ref() is not module:
            self._unwind(module)
            if not stack or stack[-1].ref() is not module:
                self._outer = max(0, self._outer - 1)  # it was entered before the block was
                return
        if self._in_backward or self._steps_taken:
            self._pop()
        else:
            stack.pop()
            self.tape.events.append(next_sequence())
        if not stack:
            self._mode.used = (
                set()
            )  # what runs outside of modules says nothing of which parameters are at work

    def _unwind(self, module: nn.Module) -> None:
        """Drop calls that ended without a hook (an exception that is no `Exception` skips them)."""
        if any(info.module() is module for info in self._stack):
            while self._stack[-1].module() is not module:
                self._pop()

    def _drop_stopped(self) -> None:
        """Drop calls that an exception ended altogether: those that Python's stack no longer has.

        It is looked for where a module calls one that is not part of it.
        """
        if self._task() == -1:
            for _ in range(len(self._stack) - (module_calls() - 1 - self._outer)):
                self._pop()

    def _pop(self) -> None:
        tape = self.tape
        before, tape.worker = tape.worker, get_ident()
        try:
            tape.settle()
            if self._in_backward and self._in_backward[-1][0] == len(self._stack):
                self._in_backward.pop()
            self._stack.pop()
            tape.node = tape.callers.pop()
            self._intervals.mark(tape.node, next_sequence())
        finally:
            tape.worker = before

    def _choose_way(self) -> None:
        self._mode.direct = self._mode.always_direct or bool(self._steps_taken)

    def _enter_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._elsewhere():
            self._steps.begin((len(self._stack), self._task()), args, kwargs)
            self._choose_way()

    def _leave_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._elsewhere():
            self._steps.end()
            self._choose_way()

    def _backward_table(self, task: int) -> Table:
        """Where an operator that runs inside a backward pass, and in no module that this pass runs, is recorded."""
        grad = torch.is_grad_enabled()
        known = self._backward
        autograd_node = current_node()
        number = None if autograd_node is None else autograd_node._sequence_nr()
        # Most autograd nodes run several operators, all in the same table.
        if known is not None and known[0] == number and not grad and not self._checkpoints:
            return known[1]
        owner, maker = self._owner(autograd_node)
        if (grad or self._checkpoints) and (_is_checkpoint(autograd_node) or in_checkpoint()):
            self._checkpoints = True
            self._keep_graph(owner, task, in_backward=False)
            return owner.table(RECOMPUTE)
        # A node made by a backward pass that ended is run by a derivative of that; one made by a pass that is still
        # running is run by a pass inside it.
        table = owner.table(BACKWARD if maker is None or maker in self._passes else DOUBLE_BACKWARD)
        if grad:
            self._keep_graph(owner, task, in_backward=True)
        elif number is not None and number != ACCUMULATES:
            self._backward = (number, table)
        return table

    def running(self) -> Node:
        """The call that an operator running now belongs to."""
        task = self._task()
        if task == -1 or self._begun_in(task):
            return self.node
        return self._owner(current_node())[0]

    def maker(self, sequence: int) -> Node:
        """The call that made the autograd node of that number."""
        self.tape.settle()
        return self._intervals.find(sequence)[0] or self._root

    def _owner(self, autograd_node: Any) -> tuple[Node, int | None]:
        """The call that made an autograd node, and the backward pass that did if one did."""
        if autograd_node is None:
            return self.node, None
        sequence = sequence_of(autograd_node)
        if sequence is None:
            return self._owner_of(autograd_node.variable), None
        node, maker = self._intervals.find(sequence)
        return node or self._root, maker

    def _owner_of(self, parameter: Any) -> Node:
        """The latest call of the module that holds a parameter."""
        info, name = self._owners.get(id(parameter), _NOBODY)
        if info is None or not _holds(info, name, parameter):
            # The block began, or a module was made: note who holds what. torch refuses to swap a tensor that something
            # refers to weakly, so a parameter goes by its id, and its module is asked whether it holds it still.
            owners = self._owners = {}
            for known in list(self.names.infos.values()):
                module = known.module()
                for name, held in () if module is None else entries_of(module, "_parameters"):
                    if held is not None and id(held) not in owners:
                        owners[id(held)] = known, name
            info, _ = self._owners.setdefault(id(parameter), (self.names.outside, ""))
        if info is None or info is self.names.outside:
            return self._root
        return info.last or self._root.child(info, "")

    def _keep_graph(self, owner: Node, task: int, *, in_backward: bool) -> None:
        """A backward that builds a graph: what it makes belongs to the module whose node it runs.

        Autograd makes the node of an operator before a mode sees the operator, so the marks begin at the counter that was
        seen at the operator before. At the first one of a pass, that is one back, if it lies beyond the node that runs.
        """
        now = next_sequence()
        start = self._passes.get(task)
        if start is None:
            node = current_node()
            running = None if node is None else sequence_of(node)
            start = now - 1 if running is not None and running < now - 1 else now
            at_end_of_backward(lambda: self._end_backward(task))
        start = max(start, self._intervals.latest)
        if in_backward:
            self._intervals.mark_backward(owner, task, start)
        else:
            self._intervals.mark(owner, start)
        self._passes[task] = now

    def _end_backward(self, task: int) -> None:
        self._passes.pop(task, None)
        self._backward = None
        self._intervals.mark(self.node, next_sequence())

    def _caller_in_backward(self, task: int, info: Info) -> Node:
        """The caller of a module that is called inside a backward pass: checkpointing runs it again, from where it first was."""
        if self._begun_in(task) or not torch.is_grad_enabled():
            return self.tape.node
        owner, _ = self._owner(current_node())
        above: Node | None = owner
        while above is not None and not above.called(info):
            above = above.parent
        return above or owner


_NOBODY: tuple[Info | None, str] = (None, "")


def _holds(info: Info, name: str, parameter: Any) -> bool:
    """True if it is that module's; also if no module holds it, which is not to be looked for each time."""
    module = info.module()
    return not name if module is None else parameter_named(module, name) is parameter


def _is_checkpoint(autograd_node: Any) -> bool:
    """Whether an autograd node is that of a reentrant checkpoint, which runs its function again when it is run."""
    made_by = getattr(type(autograd_node), "_forward_cls", None)
    return made_by is not None and made_by is torch.utils.checkpoint.CheckpointFunction

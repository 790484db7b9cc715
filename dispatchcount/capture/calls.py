"""The stack of module calls, kept by hooks on all modules at once, and where in the record an operator goes.

Per-module hooks would change what runs (fused encoder layers look for them) and would miss modules made inside the block.
"""

from __future__ import annotations

import sys
from threading import get_ident
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from dispatchcount.capture.autograd import at_end_of_backward, current_node, graph_task, next_sequence, sequence_of
from dispatchcount.capture.names import Info, Names
from dispatchcount.capture.record import (
    BACKWARD,
    DOUBLE_BACKWARD,
    FORWARD,
    OPTIMIZER,
    RECOMPUTE,
    Node,
    Place,
    Recording,
    Signature,
    Table,
)
from dispatchcount.capture.tape import LIMIT, Tape

_TENSOR = torch.Tensor


class Calls:
    """Follows one thread's module calls.

    Attributes:
        tape: what they and their operators are noted on in the forward phase.
        direct: whether operators outside of backward go into the tree one by one.
    """

    def __init__(self, names: Names, recording: Recording, mode: Any, *, direct: bool) -> None:
        self.names = names
        self.tape = Tape(recording)
        self.direct = self._always_direct = direct
        self._infos = names.infos
        self._root = recording.tree
        self._recording = recording
        self._mode = mode
        self._phase = FORWARD
        self._table: Table = self._root.forward  # of the call that is running, in other phases and while recomputing
        self._stack: list[Info] = []
        self._thread = get_ident()
        self._intervals = self.tape.intervals
        self._handles: list[Any] = []
        self._recomputing = 0
        self._backward: tuple[int, Table] | None = None  # by number: a node would keep its saved tensors alive
        self._tasks: set[int] = set()
        self._owners: dict[int, Info] | None = None
        self._outer = 0
        self._checkpoints = False  # whether functions, not modules alone, were seen to be run again

    @property
    def node(self) -> Node:
        """The innermost call running."""
        self.tape.settle()
        return self.tape.node

    def install(self) -> None:
        """Put the hooks on; `remove` takes them off."""
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
            register_optimizer_step_pre_hook(self._enter_step),
            register_optimizer_step_post_hook(self._leave_step),
        ]
        self._intervals.mark(self._root, next_sequence())
        self._outer = _calls_running()

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def unfinished(self) -> list[Node]:
        """The calls that did not end yet, outermost first."""
        node = self.node
        return [*self.tape.callers[1:], node] if self.tape.callers else []

    def count(self, signature: Signature) -> Place:
        """Put an operator into the tree at once."""
        self.tape.settle()
        if graph_task() != -1:
            table = self._backward_table()
        else:
            table = self._table if self._phase or self._recomputing else self.tape.node.forward
        count = table.get(signature)
        if count is None:
            self._recording.new(table, signature)
        else:
            table[signature] = count + 1
        return table, signature

    def _elsewhere(self) -> bool:
        """Whether this thread's operators do not reach the mode (hooks are the process's, modes the thread's).

        Backward on an accelerator runs in the engine's own threads, to which torch takes the mode along.
        """
        if get_ident() == self._thread:
            return False
        stack = torch.utils._python_dispatch._get_current_dispatch_mode_stack()
        return self._mode not in stack

    def _enter(self, module: nn.Module, args: Any) -> None:
        if get_ident() != self._thread and self._elsewhere():
            return
        info = self._infos.get(id(module))
        try:
            if info is None or info.many or len(args) != 1 or type(args[0]) is not _TENSOR:
                signature: Any = _signature(args)
            else:
                signature = args[0].shape
        except RuntimeError:  # nested tensors have none
            signature = _signature(args)
        if info is None or info.ref() is not module or self._phase or self._recomputing or graph_task() != -1:
            self._enter_directly(module, signature)
            return
        stack = self._stack
        if stack and info.caller is not stack[-1]:
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
        tape = self.tape
        tape.settle()
        info = self.names.info(module)
        if self._stack and (info is None or not (info.inside(self._stack[-1]) or tape.node.called(info))):
            self._drop_stopped()
        if info is None:
            info = self.names.meet(module, tape.node.info)
        if self._phase == OPTIMIZER and not self._stack:
            self._check_step()
        info.caller = self._stack[-1] if self._stack else None
        self._stack.append(info)
        tape.callers.append(tape.node)
        tape.node = tape.begin(self._recompute(info) if graph_task() != -1 else tape.node, info, signature)
        self._table = tape.node.table(RECOMPUTE) if self._recomputing else tape.node.forward
        self._intervals.mark(tape.node, next_sequence())

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        if get_ident() != self._thread and self._elsewhere():
            return
        stack = self._stack
        if not stack or stack[-1].ref() is not module:
            self._unwind(module)
            if not stack or stack[-1].ref() is not module:
                self._outer = max(0, self._outer - 1)  # it was entered before the block was
                return
        if self._phase or self._recomputing:
            self._pop()
        else:
            stack.pop()
            self.tape.events.append(next_sequence())

    def _unwind(self, module: nn.Module) -> None:
        """Drop calls that ended without a hook (an exception that is no `Exception` skips them)."""
        if any(info.module() is module for info in self._stack):
            while self._stack[-1].module() is not module:
                self._pop()

    def _drop_stopped(self) -> None:
        """The same for calls that an exception left altogether. Looked for where a module calls one that is not part of it."""
        if graph_task() == -1:
            for _ in range(len(self._stack) - (_calls_running() - 1 - self._outer)):
                self._pop()

    def _pop(self) -> None:
        tape = self.tape
        tape.settle()
        self._stack.pop()
        tape.node = node = tape.callers.pop()
        self._recomputing = max(0, self._recomputing - 1)
        self._table = node.table(RECOMPUTE if self._recomputing else FORWARD if self._stack else self._phase)
        self._choose_way()
        self._intervals.mark(node, next_sequence())

    def _choose_way(self) -> None:
        self.direct = self._always_direct or bool(self._phase or self._recomputing)

    def _enter_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        if self._elsewhere():
            return None
        self._set_phase(OPTIMIZER)
        place: Any = "closure" if "closure" in kwargs else 1
        closure = kwargs.get("closure") if place == "closure" else args[1] if len(args) > 1 else None
        if not callable(closure):
            return None

        def evaluate(*given: Any, **named: Any) -> Any:
            """The closure is the user's forward and backward, no part of the optimizer."""
            before = self._phase
            self._set_phase(FORWARD)
            try:
                return closure(*given, **named)
            finally:
                self._set_phase(before)

        return (args, {**kwargs, place: evaluate}) if place == "closure" else ((args[0], evaluate, *args[2:]), kwargs)

    def _leave_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._elsewhere():
            self._set_phase(FORWARD)

    def _set_phase(self, phase: int) -> None:
        self._table = self.node.table(phase)
        self._phase = phase
        self._choose_way()

    def _check_step(self) -> None:
        """A step that raises ends without its hook."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename.endswith("optimizer.py") and frame.f_code.co_name == "wrapper":
                return
            frame = frame.f_back
        self._set_phase(FORWARD)

    def _backward_table(self) -> Table:
        """Where an operator that runs inside a backward pass is recorded."""
        if self._recomputing:
            return self._table
        grad = torch.is_grad_enabled()
        known = self._backward
        autograd_node = current_node()
        sequence = None if autograd_node is None else sequence_of(autograd_node)
        if known is not None and known[0] == sequence and not grad and not self._checkpoints:
            return known[1]
        owner, made_in_backward = self._owner(autograd_node)
        if (grad or self._checkpoints) and _in_checkpoint(autograd_node):
            self._checkpoints = True
            self._keep_graph(owner, in_backward=False)
            return owner.table(RECOMPUTE)
        table = owner.table(DOUBLE_BACKWARD if made_in_backward else BACKWARD)
        if grad:
            self._keep_graph(owner, in_backward=True)
        elif sequence is not None:
            self._backward = (sequence, table)
        return table

    def running(self) -> Node:
        """The call that an operator running now belongs to."""
        if graph_task() == -1 or self._recomputing:
            return self.node
        return self._owner(current_node())[0]

    def maker(self, sequence: int) -> Node:
        """The call that made the autograd node of that number."""
        self.tape.settle()
        return self._intervals.find(sequence)[0] or self._root

    def _owner(self, autograd_node: Any) -> tuple[Node, bool]:
        if autograd_node is None:
            return self.node, False
        sequence = sequence_of(autograd_node)
        if sequence is None:
            return self._owner_of(autograd_node.variable), False
        node, made_in_backward = self._intervals.find(sequence)
        return node or self._root, made_in_backward

    def _owner_of(self, parameter: Any) -> Node:
        """The latest call of the module that holds a parameter."""
        if self._owners is None:
            self._owners = {}
            for info in list(self.names.infos.values()):
                module = info.module()
                for held in () if module is None else module._parameters.values():
                    if held is not None:
                        self._owners.setdefault(id(held), info)
        owner = self._owners.get(id(parameter))
        if owner is None:
            return self._root
        return owner.last or self._root.child(owner, "")

    def _keep_graph(self, owner: Node, *, in_backward: bool) -> None:
        """A backward that builds a graph: what it makes belongs to the module whose node it runs."""
        mark = self._intervals.mark_backward if in_backward else self._intervals.mark
        mark(owner, next_sequence())
        task = graph_task()
        if task not in self._tasks:
            self._tasks.add(task)
            at_end_of_backward(lambda: self._end_backward(task))

    def _end_backward(self, task: int) -> None:
        self._tasks.discard(task)
        self._backward = None
        self._intervals.mark(self.node, next_sequence())

    def _recompute(self, info: Info) -> Node:
        """A module called inside backward: checkpointing runs it again. Its caller is that of the first run."""
        self._recomputing += 1
        self._choose_way()
        if self._recomputing > 1 or not torch.is_grad_enabled():
            return self.tape.node
        owner, _ = self._owner(current_node())
        above: Node | None = owner
        while above is not None and not above.called(info):
            above = above.parent
        return above or owner


def _calls_running() -> int:
    """Module calls on this thread's Python stack."""
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        count += frame.f_code is _CALL
        frame = frame.f_back
    return count


_CALL = nn.Module._wrapped_call_impl.__code__


def _in_checkpoint(autograd_node: Any) -> bool:
    """Whether `torch.utils.checkpoint` is running a function again, above us on the stack."""
    if type(autograd_node).__name__ == "CheckpointFunctionBackward":
        return True
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "recompute_fn" and frame.f_code.co_filename.endswith("checkpoint.py"):
            return True
        frame = frame.f_back
    return False


def _signature(args: Any) -> Any:
    """The input shapes of the call that a hook is told of, by position, then by name; hashable. Of a lone tensor, its shape."""
    shapes = [_shapes(value) for value in args]
    kwargs = sys._getframe(2).f_locals.get("kwargs")  # torch hands them to no global hook
    for name, value in (kwargs or {}).items():
        shape = _shapes(value)
        if shape is not None:
            shapes.append((name, shape))
    return shapes[0] if len(shapes) == 1 == len(args) else tuple(shapes)


def _shapes(value: Any) -> Any:
    if value is None or type(value) in _NO_SHAPE:
        return None
    if isinstance(value, _TENSOR):
        return value.shape if not value.is_nested else "nested"
    if isinstance(value, list | tuple):
        return tuple([_shapes(item) for item in value])
    if isinstance(value, dict):
        return tuple([(str(name), _shapes(item)) for name, item in value.items()])
    return None


_NO_SHAPE = {bool, int, float, str}

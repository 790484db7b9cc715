"""The stack of module calls, kept by hooks on all modules at once, and which table of the record is current.

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

from dispatchcount.capture.autograd import Intervals, at_end_of_backward, current_node, graph_task, sequence_of
from dispatchcount.capture.names import Info, Names
from dispatchcount.capture.record import BACKWARD, DOUBLE_BACKWARD, FORWARD, OPTIMIZER, RECOMPUTE, Node, Recording, Table

_TENSOR = torch.Tensor


class Calls:
    """Follows one thread's module calls.

    Attributes:
        node: the innermost call running.
        table: where an operator that runs now is recorded, outside of backward.
    """

    def __init__(self, names: Names, recording: Recording, mode: Any) -> None:
        self.names = names
        self.node = recording.root
        self._infos = names.infos
        self.table: Table = self.node.forward
        self._root = recording.root
        self._mode = mode
        self._phase = FORWARD
        self._stack: list[Node] = []
        self._thread = get_ident()
        self._intervals = Intervals()
        self._handles: list[Any] = []
        self._recomputing = 0
        self._backward: tuple[int, Table] | None = None  # by number: a node would keep its saved tensors alive
        self._tasks: set[int] = set()
        self._owners: dict[int, Info] | None = None
        self._outer = 0
        self._checkpoints = False  # whether functions, not modules alone, were seen to be run again

    def install(self) -> None:
        """Put the hooks on; `remove` takes them off."""
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
            register_optimizer_step_pre_hook(self._enter_step),
            register_optimizer_step_post_hook(self._leave_step),
        ]
        self._intervals.mark(self.node)
        self._outer = _calls_running()

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def unfinished(self) -> list[Node]:
        """The calls that did not end yet, outermost first."""
        return [*self._stack[1:], self.node] if self._stack else []

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
                signature = _signature(args)
            else:
                signature = args[0].shape
            child = self.node.children.get((info, signature))  # type: ignore[arg-type]  # None is the key of none
        except (TypeError, RuntimeError):  # symbolic sizes are not hashable, nested tensors have none
            signature, child = str(_signature(args)), None
        if child is None or child.info.ref() is not module or self._phase or graph_task() != -1:
            self._enter_new(module, info, signature)
            return
        self._stack.append(self.node)
        child.calls += 1
        child.info.last = self.node = child
        self.table = child.table(RECOMPUTE) if self._recomputing else child.forward
        self._intervals.mark(child)

    def _enter_new(self, module: nn.Module, info: Info | None, signature: Any) -> None:
        """A call that was not made from here before, or is made inside a backward pass."""
        node = self.node
        if info is not None and info.ref() is not module:
            info = None  # of another, which is gone and left its id
        if self._stack and (info is None or not (info.inside(node.info) or node.called(info))):
            node = self._drop_stopped()
        if info is None:
            info = self.names.meet(module, node.info)
        if self._phase == OPTIMIZER and not self._stack:
            self._check_step()
        self._stack.append(node)
        if graph_task() != -1:
            node = self._recompute(info)
        child = node.child(info, signature)
        child.calls += 1
        info.last = self.node = child
        self.table = child.table(RECOMPUTE) if self._recomputing else child.forward
        self._intervals.mark(child)

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        if get_ident() != self._thread and self._elsewhere():
            return
        if not self._stack or self.node.info.ref() is not module:
            self._unwind(module)
            if not self._stack or self.node.info.ref() is not module:
                self._outer = max(0, self._outer - 1)  # it was entered before the block was
                return
        self._pop()

    def _unwind(self, module: nn.Module) -> None:
        """Drop calls that ended without a hook (an exception that is no `Exception` skips them)."""
        above = [node.info.module() for node in self._stack] + [self.node.info.module()]
        if any(known is module for known in above[1:]):
            while self.node.info.module() is not module:
                self._pop()

    def _drop_stopped(self) -> Node:
        """The same for calls that an exception left altogether. Looked for where a module calls one that is not part of it."""
        if graph_task() == -1:
            for _ in range(len(self._stack) - (_calls_running() - 1 - self._outer)):
                self._pop()
        return self.node

    def _pop(self) -> None:
        self.node = node = self._stack.pop()
        if self._recomputing or self._phase:
            self._recomputing = max(0, self._recomputing - 1)
            self.table = node.table(RECOMPUTE if self._recomputing else FORWARD if self._stack else self._phase)
        else:
            self.table = node.forward
        self._intervals.mark(node)

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
        self._phase = phase
        self.table = self.node.table(phase)

    def _check_step(self) -> None:
        """A step that raises ends without its hook."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename.endswith("optimizer.py") and frame.f_code.co_name == "wrapper":
                return
            frame = frame.f_back
        self._set_phase(FORWARD)

    def backward_table(self) -> Table:
        """Where an operator that runs inside a backward pass is recorded."""
        if self._recomputing:
            return self.table
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
        if in_backward:
            self._intervals.mark_backward(owner)
        else:
            self._intervals.mark(owner)
        task = graph_task()
        if task not in self._tasks:
            self._tasks.add(task)
            at_end_of_backward(lambda: self._end_backward(task))

    def _end_backward(self, task: int) -> None:
        self._tasks.discard(task)
        self._backward = None
        self._intervals.mark(self.node)

    def _recompute(self, info: Info) -> Node:
        """A module called inside backward: checkpointing runs it again. Its caller is that of the first run."""
        if self._recomputing or not torch.is_grad_enabled():
            self._recomputing += 1
            return self.node
        self._recomputing += 1
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

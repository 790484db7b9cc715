"""Every look at Python's stack, one function a question.

`distributed_frames.py` has those that only collectives ask.

Some things torch tells nobody: that a checkpoint runs its function again, or that an optimizer's
closure runs. Python's stack shows them. Code is recognised by its code object, or by lying in
torch's own folder. A path or a name that looks like torch's may be the user's.

Each function says which code of torch it leans on. Where a torch has moved that code, it is not
found, and the question is answered with no. ``tests/capture/test_frames.py`` then fails; it passes
with torch 2.6, 2.9, 2.13 and 2.14.1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from inspect import unwrap
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any
from weakref import WeakSet

import torch
from torch import nn
from torch.optim import Optimizer

from dispatchcount.capture.torch_private import loaded

_OF_MODULES: WeakSet[CodeType] = WeakSet()
"""The code of `forward` methods of modules, held weakly so that their classes can go."""


def module_calls() -> int:
    """How many module calls are on this thread's stack.

    Leans on ``nn.Module._wrapped_call_impl``, which each ``module(…)`` runs once.
    """
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        count += frame.f_code is _CALL
        frame = frame.f_back
    return count


def call_kwargs() -> dict[str, Any]:
    """The keyword arguments of the module call that the hook calling this function runs for.

    torch hands none to global hooks.

    Leans on ``nn.Module._call_impl``, or the function inside it that calls hooks: it is the first
    frame from here of that file, and has them as its local ``kwargs``.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == _MODULE_FILE:
            kwargs = frame.f_locals.get("kwargs")
            return kwargs if type(kwargs) is dict else {}
        frame = frame.f_back
    return {}


def in_checkpoint() -> bool:
    """True if a checkpoint without reentry runs its function again, in the pass that called us.

    Leans on ``recompute_fn``, a function inside one of ``torch.utils.checkpoint``, and on
    ``torch.autograd.graph._engine_run_backward``, which starts each backward pass. The search ends
    there: a backward pass inside the function that is run again is not part of running it again.

    A checkpoint with reentry is an autograd function, and is known by its autograd node.
    """
    recompute, start = _checkpoint_codes(), backward_code()
    for frame in frames(1):
        if frame.f_code in recompute:
            return True
        if frame.f_code is start:
            return False
    return False


def in_optimizer_step() -> bool:
    """True if an optimizer's `step` is running.

    Leans on the ``wrapper`` inside ``Optimizer.profile_hook_step``, in which torch wraps the `step`
    of every optimizer class, and which calls its hooks.
    """
    return any(frame.f_code is _STEP for frame in frames(1))


def runs_in_step(function: FunctionType) -> bool:
    """True if that function is running, called from the innermost optimizer step.

    A decorator's functions share their code: ``torch.no_grad`` on `step` itself and
    ``torch.enable_grad`` on a closure. So the variables that the code refers to must be the
    function's own as well.

    Leans on the same ``wrapper`` as `in_optimizer_step`.
    """
    code, cells = function.__code__, function.__closure__ or ()
    for frame in frames(1):
        if frame.f_code is code:
            values = frame.f_locals
            if all(
                values.get(name) is _content(cell)
                for name, cell in zip(code.co_freevars, cells, strict=True)
            ):
                return True
        if frame.f_code is _STEP:
            return False
    return False


def in_compiler_export(thread: int) -> bool:
    """True if that thread is where torch's compiler reads a model's code for an export.

    Leans on functions called ``inner``: inside ``torch._dynamo.eval_frame.export``, and since torch
    2.9 inside ``torch._dynamo.functional_export._dynamo_graph_capture_for_export``, which strict
    ``torch.export`` uses.
    """
    exports = (
        loaded("torch._dynamo.eval_frame", "export"),
        loaded("torch._dynamo.functional_export", "_dynamo_graph_capture_for_export"),
    )
    codes = frozenset(code for function in exports for code in _inner(function, "inner"))
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def running_forward(outermost: CodeType) -> tuple[FrameType, type] | None:
    """Where the `forward` of a custom autograd function runs, and the function's class.

    Nothing else announces it: ``MyFunction.apply(x)`` is not a torch function, and runs `forward`
    straight away. If one function runs inside another, the outer one is found, for it stands for
    both.

    Leans on ``_forward_cls``, which the class of a function's context has.

    Args:
        outermost: the code of the function in which to stop looking.

    Returns:
        The frame and the class; None if no such `forward` runs.
    """
    found = None
    for frame in frames(1):
        if frame.f_code is outermost:
            break
        if frame.f_code.co_name == "forward":
            cls = _function_of(frame)
            if cls is not None:
                found = frame, cls
    return found


def forward_arguments(frame: FrameType) -> list[Any]:
    """What the `forward` running in a frame was called with by position, without its context."""
    code, values = frame.f_code, frame.f_locals
    count = code.co_argcount + bool(code.co_flags & 0x04)  # 0x04: it has *args
    given: list[Any] = []
    for index, name in enumerate(code.co_varnames[:count]):
        value = values.get(name)
        if index >= code.co_argcount:
            given += value or ()
        elif not hasattr(type(value), "_forward_cls"):
            given.append(value)
    return given


def innermost_module(error: BaseException) -> nn.Module | None:
    """The module whose call an exception came out of first.

    Leans on ``nn.Module._wrapped_call_impl`` and ``_call_impl``, whose `self` is the module.
    """
    module = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in (_CALL, _CALL_IMPL):
            module = trace.tb_frame.f_locals.get("self", module)
        trace = trace.tb_next
    return module


def running_module() -> nn.Module | None:
    """The innermost module whose call is on this thread's stack; None if there is none.

    A module's own forward hooks are part of its call. torch runs hooks on all modules before them,
    so that for ours the call has ended by then. The search ends where a backward pass begins.

    Leans on ``nn.Module._wrapped_call_impl``, whose `self` is the module, and on
    ``torch.autograd.graph._engine_run_backward``.
    """
    start = backward_code()
    for frame in frames(1):
        if frame.f_code is _CALL:
            module: nn.Module = frame.f_locals["self"]
            return module
        if frame.f_code is start:
            return None
    return None


def instruction() -> int:
    """A number for what Python is executing.

    It stands for the current instruction of every frame on the stack that is not ours.
    """
    return hash(
        tuple(
            [(f.f_code, f.f_lasti) for f in frames(1) if not f.f_code.co_filename.startswith(OURS)]
        )
    )


def innermost_code() -> CodeType | None:
    """The code of the innermost function that is not ours; None if there is none.

    An operator that C++ called on its own is the work of the function that called C++.
    """
    return next((f.f_code for f in frames(1) if not f.f_code.co_filename.startswith(OURS)), None)


def call_site() -> str:
    """File and line of the innermost frame that is neither torch's nor ours."""
    for frame in frames(1):
        if not frame.f_code.co_filename.startswith((TORCH, OURS)):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return "an unknown place"


def frames(above: int) -> Iterator[FrameType]:
    """The frames of this thread, innermost first.

    Args:
        above: where to begin: so many frames above the function that asks for them.
    """
    frame: FrameType | None = sys._getframe(above + 1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _content(cell: CellType) -> Any:
    """What a variable of an enclosing function holds; None if it is not set yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _function_of(frame: FrameType) -> type | None:
    """The custom autograd function whose `forward` runs in a frame; None if it is another's.

    The first argument tells: it is the function's context, or a module if the `forward` is a
    module's. A `forward` that takes no context is looked for among all functions that there are.
    The code of a module's `forward` is remembered, because Python before 3.13 keeps the variables
    of a frame alive once they were looked at, and a module's may be big.
    """
    code = frame.f_code
    if code in _OF_MODULES:
        return None
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_varnames else None
    context_of: type | None = getattr(type(first), "_forward_cls", None)
    if isinstance(first, nn.Module):
        _OF_MODULES.add(code)
        return None
    if context_of is not None:
        return context_of
    functions = _subclasses(torch.autograd.Function)
    return next((cls for cls in functions if code_of(getattr(cls, "forward", None)) is code), None)


def _subclasses(cls: type) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(cls)
    for sub in subclasses:
        yield sub
        yield from _subclasses(sub)


def code_of(function: Callable[..., Any] | None) -> CodeType | None:
    """The code of a function; None for what is not written in Python."""
    return getattr(function, "__code__", None)


def _inner(function: Callable[..., Any] | None, name: str) -> Iterator[CodeType]:
    """The code of the functions called `name` that `function` defines."""
    code = None if function is None else code_of(unwrap(function))
    return (
        c for c in (code.co_consts if code else ()) if isinstance(c, CodeType) and c.co_name == name
    )


@cache
def _checkpoint_codes() -> frozenset[CodeType]:
    from torch.utils import checkpoint

    functions = [value for value in vars(checkpoint).values() if isinstance(value, FunctionType)]
    return frozenset(code for function in functions for code in _inner(function, "recompute_fn"))


@cache
def backward_code() -> CodeType | None:
    """The code of the function that starts each backward pass."""
    return code_of(getattr(torch.autograd.graph, "_engine_run_backward", None))


_CALL = code_of(getattr(nn.Module, "_wrapped_call_impl", None))
_CALL_IMPL = code_of(getattr(nn.Module, "_call_impl", None))
_MODULE_FILE = None if _CALL is None else _CALL.co_filename
_STEP = next(_inner(getattr(Optimizer, "profile_hook_step", None), "wrapper"), None)
TORCH = os.path.dirname(torch.__file__) + os.sep
"""The folder of torch's own code."""
OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
"""The folder of this package."""

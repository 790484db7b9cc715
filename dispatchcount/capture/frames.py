"""Every look at Python's stack, one function a question.

Code is recognised by its code object, or by lying in torch's own folder: a path or a name that
looks like torch's may be the user's. Where torch has moved a function, its code is not found and
the question is answered with no.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from inspect import unwrap
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer


def module_calls() -> int:
    """Module calls on this thread's stack: frames of ``nn.Module._wrapped_call_impl``, which each
    ``module(…)`` runs.
    """
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        count += frame.f_code is _CALL
        frame = frame.f_back
    return count


def call_kwargs() -> dict[str, Any]:
    """The keyword arguments of the module call that the hook calling this function runs for.

    torch hands none to global hooks. They are the local ``kwargs`` of the function in
    ``nn.Module._call_impl`` that calls hooks, the first frame from here that has one.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == _CALL.co_filename:
            kwargs = frame.f_locals.get("kwargs")
            return kwargs if type(kwargs) is dict else {}
        frame = frame.f_back
    return {}


def in_checkpoint() -> bool:
    """True if `torch.utils.checkpoint` is running a function again, in the backward pass that
    called us.

    Without reentry, that is a function called ``recompute_fn`` inside one of that module. The
    search ends where this backward pass was started, for a backward inside a function that is run
    again is not part of running it again.
    """
    recompute, start = _checkpoint_codes(), _backward_code()
    for frame in _frames(1):
        if frame.f_code in recompute:
            return True
        if frame.f_code is start:
            return False
    return False


def in_optimizer_step() -> bool:
    """True if an optimizer's `step` is running: the function that torch wraps it in, which calls
    its hooks.
    """
    return any(frame.f_code is _STEP for frame in _frames(1))


def in_compiler_export(thread: int) -> bool:
    """True if that thread is inside the function that has torch's compiler read a model's code for
    an export.

    It is called ``inner``, in ``torch._dynamo.export`` and in what ``torch.export`` uses since
    torch 2.9.
    """
    homes = {
        "torch._dynamo.eval_frame": "export",
        "torch._dynamo.functional_export": "_dynamo_graph_capture_for_export",
    }
    found = [getattr(sys.modules.get(home), name, None) for home, name in homes.items()]
    codes = frozenset(code for function in found for code in _inner(function, "inner"))
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def runs_in_step(function: FunctionType) -> bool:
    """True if that function is running, called from the innermost optimizer step.

    A decorator's functions share their code (``torch.no_grad`` on `step` itself and
    ``torch.enable_grad`` on a closure), so what the code refers to must be the function's own as
    well.
    """
    code, cells = function.__code__, function.__closure__ or ()
    for frame in _frames(1):
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


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def instruction() -> int:
    """A number for what Python is executing: the instruction of every frame on the stack that is
    not ours.
    """
    return hash(
        tuple(
            [
                (f.f_code, f.f_lasti)
                for f in _frames(1)
                if not f.f_code.co_filename.startswith(_OURS)
            ]
        )
    )


def call_site() -> str:
    """File and line of the innermost frame that is neither torch's nor ours."""
    for frame in _frames(1):
        if not frame.f_code.co_filename.startswith((_TORCH, _OURS)):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return "an unknown place"


def innermost_module(error: BaseException) -> nn.Module | None:
    """The module whose call an exception came out of first: `self` of the last frame of
    ``nn.Module._call_impl``.
    """
    module = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in (_CALL, _CALL_IMPL):
            module = trace.tb_frame.f_locals.get("self", module)
        trace = trace.tb_next
    return module


def called_from(code: CodeType) -> Iterator[FrameType]:
    """This thread's frames, innermost first, up to the function with that code."""
    for frame in _frames(1):
        if frame.f_code is code:
            return
        yield frame


def _frames(above: int) -> Iterator[FrameType]:
    """The frames of this thread, innermost first, from `above` frames above the function that asks
    for them.
    """
    frame: FrameType | None = sys._getframe(above + 1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _inner(function: Any, name: str) -> Iterator[CodeType]:
    """The code of the functions called `name` that `function` defines."""
    code = getattr(unwrap(function), "__code__", None)
    return (
        c for c in (code.co_consts if code else ()) if isinstance(c, CodeType) and c.co_name == name
    )


@cache
def _checkpoint_codes() -> frozenset[CodeType]:
    from torch.utils import checkpoint

    functions = [value for value in vars(checkpoint).values() if isinstance(value, FunctionType)]
    return frozenset(code for function in functions for code in _inner(function, "recompute_fn"))


@cache
def _backward_code() -> CodeType | None:
    return getattr(getattr(torch.autograd.graph, "_engine_run_backward", None), "__code__", None)


_CALL = nn.Module._wrapped_call_impl.__code__
_CALL_IMPL = nn.Module._call_impl.__code__
_STEP = next(_inner(Optimizer.profile_hook_step, "wrapper"), None)
_TORCH = os.path.dirname(torch.__file__) + os.sep
_OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep

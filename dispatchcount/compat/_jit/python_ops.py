"""Finds custom autograd functions on Python's stack, for nothing else announces them.

To apply one is not a torch function: ``MyFunction.apply(x)`` runs `forward` straight away.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

from dispatchcount.capture import frames


def applying(outermost: CodeType) -> tuple[FrameType, type] | None:
    """The frame in which the `forward` of a custom autograd function runs, and its class.

    If one function runs inside another, the outer one is found, for it stands for both.

    Args:
        outermost: the code of the function in which to stop looking.
    """
    found = None
    for frame in frames.called_from(outermost):
        if frame.f_code.co_name == "forward":
            cls = _function_of(frame)
            if cls is not None:
                found = frame, cls
    return found


def arguments_of(frame: FrameType) -> list[Any]:
    """What a running `forward` was called with, without its context."""
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


def _function_of(frame: FrameType) -> type | None:
    """The custom autograd function whose `forward` runs in a frame; None if it is another's.

    The first argument tells: it is the function's context, or a module if the `forward` is a
    module's. A `forward` that takes no context is looked for among all functions that there are.
    """
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_varnames else None
    context_of: type | None = getattr(type(first), "_forward_cls", None)
    if context_of is not None or isinstance(first, nn.Module):
        return context_of
    functions = _subclasses(torch.autograd.Function)
    return next((function for function in functions if _code(function) is code), None)


def _subclasses(cls: type) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(cls)
    for sub in subclasses:
        yield sub
        yield from _subclasses(sub)


def _code(cls: type) -> CodeType | None:
    return getattr(getattr(cls, "forward", None), "__code__", None)

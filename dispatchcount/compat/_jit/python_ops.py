"""Finds custom autograd functions on Python's stack: applying one is no torch function, and nothing else announces it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

_KNOWN: dict[CodeType, type | None] = {}


def applying(outermost: CodeType) -> tuple[FrameType, type] | None:
    """The frame in which the `forward` of a custom autograd function runs, and its class; of several inside another, the outer.

    Args:
        outermost: where on the stack to stop looking.
    """
    found = None
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not outermost:
        if frame.f_code.co_name == "forward":
            cls = _function_of(frame)
            if cls is not None:
                found = frame, cls
        frame = frame.f_back  # type: ignore[assignment]
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
    code = frame.f_code
    if code not in _KNOWN:
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_varnames else None
        cls = getattr(type(first), "_forward_cls", None)
        if cls is None and not isinstance(first, nn.Module):
            cls = next(
                (cls for cls in _subclasses(torch.autograd.Function) if _code(cls) is code), None
            )
        _KNOWN[code] = cls
    return _KNOWN[code]


def _subclasses(cls: type) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(cls)
    for sub in subclasses:
        yield sub
        yield from _subclasses(sub)


def _code(cls: type) -> CodeType | None:
    return getattr(getattr(cls, "forward", None), "__code__", None)

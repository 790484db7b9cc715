"""Notes which Python-level torch function is running, so that `linear` is told from the `addmm` that it becomes.

Used where it is asked for only: while any torch function mode is on, torch leaves its fused encoder layers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Protocol

import torch
import torch.overrides
from torch._ops import OpOverload, OpOverloadPacket
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.tracing import paused


class Watcher(Protocol):
    """Looks on as torch functions run. Must not keep a tensor alive or change anything.

    TorchScript's tracer is paused meanwhile, for to read a size would put it into the graph.
    """

    def attach(self, mode: CountingMode) -> None:
        """The block opens; `mode` knows the module calls, the record and the rules."""

    def label(self, name: str) -> str:
        """What operators that run under function `name` are to be recorded under."""

    def called(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """A function that torch implements itself, and not as other Python functions, has run."""


class FunctionMode(TorchFunctionMode):
    """Keeps `CountingMode.function` at the innermost torch function running."""

    def __init__(self, mode: CountingMode, watcher: Watcher | None = None) -> None:
        super().__init__()
        self._mode = mode
        self._watcher = watcher
        self._running: Any = None
        if watcher is not None:
            watcher.attach(mode)

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        mode, watcher = self._mode, self._watcher
        if isinstance(func, OpOverload) and mode not in _get_current_dispatch_mode_stack():
            return func(
                *args, **kwargs
            )  # `mode` itself, letting through an operator that no torch function announced
        name = function_name(func)
        before, running = mode.counter.function, self._running
        if watcher is None:
            mode.counter.function = name
        else:
            with paused():
                mode.counter.function = watcher.label(name)
        try:
            if isinstance(func, FunctionType) and func is not running and not _overridden(types):
                self._running = func
                with self:
                    return _unasking(func)(*args, **kwargs)
            out = func(*args, **kwargs)
            if watcher is not None:
                with paused():
                    watcher.called(name, args, kwargs, out)
            return out
        finally:
            mode.counter.function, self._running = before, running


def function_name(func: Any) -> str:
    """A torch function as people call it: ``"linear"``, ``"mylib.attn"`` for an operator, ``"shape"`` for an attribute."""
    if isinstance(func, OpOverload | OpOverloadPacket):
        packet = func.overloadpacket if isinstance(func, OpOverload) else func
        return str(packet._qualified_op_name).removeprefix("aten::").replace("::", ".")
    name = str(getattr(func, "__name__", func))
    return (
        str(getattr(getattr(func, "__self__", None), "__name__", name))
        if name in ("__get__", "__set__")
        else name
    )


def _unasking(func: FunctionType) -> Callable[..., Any]:
    """`func`, but without its own check for torch function modes.

    A torch function written in Python first asks whether anyone overrides it; with a mode on it would hand itself back to
    the mode for ever, and with the mode off what it calls would not be seen.
    """
    twin = FunctionType(
        func.__code__,
        func.__globals__ | _NOBODY,
        func.__name__,
        func.__defaults__,
        func.__closure__,
    )
    twin.__kwdefaults__ = func.__kwdefaults__
    return twin


def _nobody(*_: Any) -> bool:
    return False


_NOBODY = dict.fromkeys(
    ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), _nobody
)


def _overridden(types: Sequence[Any]) -> bool:
    """Whether a tensor subclass has its own say in torch functions; its check must then stay."""
    default = torch._C._disabled_torch_function_impl
    return any(
        kind is not torch.Tensor and kind.__torch_function__ is not default for kind in types
    )

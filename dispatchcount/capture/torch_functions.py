"""Notes which Python-level torch function is running, to tell `linear` from the `addmm` it becomes.

Used where it is asked for only: while any torch function mode is on, torch does not use its fused
encoder layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Protocol

import torch
from torch.overrides import TorchFunctionMode

from dispatchcount.capture.dispatch import CountingMode
from dispatchcount.capture.torch_private import (
    OpOverload,
    OpOverloadPacket,
    dispatch_modes,
    no_torch_function,
)
from dispatchcount.capture.tracing import paused

Globals = dict[str, Any]
"""The names that a Python function looks up outside of itself: those of its module."""


class Watcher(Protocol):
    """Looks on as torch functions run. Must not keep a tensor alive or change anything.

    TorchScript's tracer is paused meanwhile, because reading a size would put it into the graph.
    """

    def attach(self, mode: CountingMode) -> None:
        """The block opens. `mode` knows the module calls, the record and the rules."""

    def label(self, name: str) -> str:
        """What operators that run under the function `name` are to be recorded under."""

    def called(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """Called after a torch function that is implemented in C++ has returned.

        One written in Python is not shown. It goes through others, which are.
        """


class FunctionMode(TorchFunctionMode):
    """Keeps `CountingMode.function` at the innermost torch function running."""

    def __init__(self, mode: CountingMode, watcher: Watcher | None = None) -> None:
        super().__init__()
        self._mode = mode
        self._watcher = watcher
        self._running: FunctionType | None = None  # the innermost one that is written in Python
        self._names: dict[int, Globals] = {}  # by the id of the globals that they stand for
        if watcher is not None:
            watcher.attach(mode)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note that torch function `func` runs, for as long as it does."""
        kwargs = kwargs or {}
        mode, watcher = self._mode, self._watcher
        # While `mode` handles an operator it is off the stack. It then lets that operator through,
        # and torch shows it here. No torch function announced it.
        if isinstance(func, OpOverload) and mode not in dispatch_modes():
            return func(*args, **kwargs)
        # Put the function's name where the mode reads it, and put back what was there at the end.
        name = function_name(func)
        before, running = mode.counter.function, self._running
        if watcher is None:
            mode.counter.function = name
        else:
            with paused():
                mode.counter.function = watcher.label(name)
        try:
            # A function written in Python calls others, so this mode stays on while it runs.
            # `func is running` means that it has handed itself back: see `_without_its_check`.
            if isinstance(func, FunctionType) and func is not running and not _overridden(types):
                self._running = func
                with self:
                    return self._without_its_check(func, args, kwargs)
            out = func(*args, **kwargs)
            if watcher is not None:
                with paused():
                    watcher.called(name, args, kwargs, out)
            return out
        finally:
            mode.counter.function, self._running = before, running

    def _without_its_check(
        self, func: FunctionType, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call `func`, but without its own check for torch function modes.

        A torch function written in Python first asks whether anyone overrides it. With a mode on it
        would hand itself back to the mode for ever, and with the mode off what it calls would not
        be seen. So a twin of it is called, for which that check always says no.
        """
        real = func.__globals__
        names = self._names.get(id(real))
        if names is None:
            names = self._names[id(real)] = _standing_for(real)
        if _SHOWN in real:  # Python does not ask for this one where it is missing
            names[_SHOWN] = real[_SHOWN]
        before = len(names)
        twin = FunctionType(
            func.__code__, names, func.__name__, func.__defaults__, func.__closure__
        )
        twin.__kwdefaults__ = func.__kwdefaults__
        try:
            return twin(*args, **kwargs)
        finally:
            # What the function assigned to global names belongs to its module.
            if len(names) != before:
                for name in [name for name in names if not _is_ours(name)]:
                    real[name] = names.pop(name)


def function_name(func: Any) -> str:
    """A torch function as people call it.

    ``"linear"`` for a function, ``"mylib.attn"`` for an operator, ``"shape"`` for an attribute.
    """
    if isinstance(func, OpOverload | OpOverloadPacket):
        packet = func.overloadpacket if isinstance(func, OpOverload) else func
        return str(packet._qualified_op_name).removeprefix("aten::").replace("::", ".")
    name = str(getattr(func, "__name__", func))
    return (
        str(getattr(getattr(func, "__self__", None), "__name__", name))
        if name in ("__get__", "__set__")
        else name
    )


def _standing_for(real: Globals) -> Globals:
    """Names for a function to look up: those of `real` as they are at the time, but for `_NOBODY`.

    A dict calls ``__missing__`` for a key that it does not hold. Here that is the look-up in
    `real`. So the names need not be copied at each call, and one that the user replaces in a module
    is replaced for the function as well. Python reads ``__name__`` and the like, which do not
    change, without asking for a missing key, so they are copied.
    """
    kind = type("_Globals", (dict,), {"__missing__": staticmethod(real.__getitem__)})
    fixed = {name: value for name, value in real.items() if _is_ours(name)}
    made: Globals = kind(fixed | _NOBODY)
    return made


def _is_ours(name: str) -> bool:
    """True for the names that `_standing_for` holds itself."""
    return name in _NOBODY or (name.startswith("__") and name != _SHOWN)


_SHOWN = "__warningregistry__"
"""Where Python notes, in a module, which warnings it has shown for the module's lines."""


def _nobody(*_: Any) -> bool:
    return False


_NOBODY = dict.fromkeys(
    ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), _nobody
)
"""The checks of torch's functions for overrides, all of which say that there are none."""


def _overridden(types: Sequence[Any]) -> bool:
    """True if a tensor subclass has its own say in torch functions. Its check must then stay."""
    return any(
        kind is not torch.Tensor and kind.__torch_function__ is not no_torch_function
        for kind in types
    )

"""Takes a mode off this thread's stack of modes, wherever on the stack it is.

Modes that were entered after it may still be on (an abandoned generator's, say). They are taken off
and put back in their order. Doing it twice, or where the mode is on no stack, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

from dispatchcount.capture.torch_private import TorchDispatchMode, dispatch_modes, function_modes


def leave_dispatch_mode(mode: TorchDispatchMode) -> None:
    """Take a dispatch mode off."""
    _leave(mode, dispatch_modes)


def leave_function_mode(mode: TorchFunctionMode) -> None:
    """Take a torch function mode off."""
    _leave(mode, function_modes)


def _leave(mode: TorchDispatchMode | TorchFunctionMode, stack: Callable[[], list[Any]]) -> None:
    above: list[Any] = []
    try:
        # Take modes off from the top until `mode` is off, and remember the others.
        while mode in (on := stack()):
            if on[-1] is not mode:
                above.append(on[-1])
            on[-1].__exit__(None, None, None)
    finally:
        # Put the others back, also if the user interrupted between any two of the lines above: then
        # the last one may still be on.
        for other in reversed(above):
            if other not in stack():
                other.__enter__()

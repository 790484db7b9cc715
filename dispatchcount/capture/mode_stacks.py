"""Takes a mode off this thread's stack of modes, wherever it is on it.

Modes that were entered after it may still be on (an abandoned generator's, say): they are taken off and put back in place.
Doing it twice, or where the mode is on no stack, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.overrides
from torch.overrides import TorchFunctionMode
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode


def leave_dispatch_mode(mode: TorchDispatchMode) -> None:
    """Take a dispatch mode off."""
    _leave(mode, _python_dispatch._get_current_dispatch_mode_stack)


def leave_function_mode(mode: TorchFunctionMode) -> None:
    """Take a torch function mode off."""
    _leave(mode, torch.overrides._get_current_function_mode_stack)


def _leave(mode: Any, stack: Callable[[], list[Any]]) -> None:
    above: list[Any] = []
    try:
        while mode in (on := stack()):
            if on[-1] is not mode:
                above.append(on[-1])
            on[-1].__exit__(None, None, None)
    finally:  # also if the user interrupts, between any two of these lines
        for other in reversed(above):
            if other not in stack():
                other.__enter__()

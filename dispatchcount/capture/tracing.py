"""Keeps what we do out of the graph while TorchScript's tracer records one.

The tracer notes an operator before autograd and modes see it and pauses itself while the operator runs, so most operators
reach a mode with the tracer paused. A few it does not note (``convolution``): it waits for the operator inside that it does
note (``_convolution``). Those reach a mode with the tracer on. Then reading a size would put an operator into the graph,
and torch has switched the tracer's dispatch key off, so that the operator inside would be missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

tracing_state: Callable[[], Any] = torch._C._get_tracing_state
"""The tracer that is on in this thread; None where none is, or where it is paused."""

is_tracing: Callable[[], bool] = torch._C._is_tracing
"""True where that is on."""

_TRACER = torch._C._parse_dispatch_key("Tracer")


@contextmanager
def paused() -> Iterator[Any]:
    """Pause the tracer; gives it, to be handed to `resumed`."""
    state = tracing_state()
    if state is None:
        yield None
        return
    _set(None)
    try:
        yield state
    finally:
        _set(state)


@contextmanager
def resumed(state: Any) -> Iterator[None]:
    """Let a paused tracer go on, as it does outside of a mode."""
    with _tracer_key():
        torch._C._set_tracing_state(state)
        try:
            yield
        finally:
            torch._C._set_tracing_state(None)


def _set(state: Any) -> None:
    with _tracer_key():  # torch refuses to change the tracer while its key is off
        torch._C._set_tracing_state(state)


def _tracer_key() -> Any:
    """Dispatch keys as they are, but for the tracer's, which is not excluded."""
    included, excluded = (
        torch._C._dispatch_tls_local_include_set(),
        torch._C._dispatch_tls_local_exclude_set(),
    )
    return torch._C._ForceDispatchKeyGuard(included, excluded.remove(_TRACER))

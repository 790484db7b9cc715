"""Keeps what we do out of the graph while TorchScript's tracer records one.

The tracer notes an operator before autograd and modes see it, and pauses itself while the operator
runs. So most operators reach a mode with the tracer paused. A few are not noted themselves
(``convolution``): the tracer waits for the operator inside that it does note (``_convolution``).
Those reach a mode with the tracer on. Then reading a size would put an operator into the graph, and
torch has switched the tracer's dispatch key off, so the tracer would miss the operator inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from dispatchcount.capture.torch_private import (
    KeysForced,
    excluded_keys,
    included_keys,
    key_named,
    set_tracing_state,
    tracing_state,
)

_TRACER = key_named("Tracer")


@contextmanager
def paused() -> Iterator[Any]:
    """Pause the tracer; gives it, to be handed to `resumed`. It is None where no tracer is on."""
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
        set_tracing_state(state)
        try:
            yield
        finally:
            set_tracing_state(None)


def _set(state: Any) -> None:
    """Set the tracer. torch refuses to while the tracer's key is off."""
    with _tracer_key():
        set_tracing_state(state)


def _tracer_key() -> AbstractContextManager[None]:
    """Dispatch keys as they are, but for the tracer's, which is not excluded."""
    guard: AbstractContextManager[None] = KeysForced(
        included_keys(), excluded_keys().remove(_TRACER)
    )
    return guard

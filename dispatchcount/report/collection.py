"""Work on hundreds of thousands of rows without Python looking for garbage in between."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Python does not look for garbage meanwhile; also a decorator, ``@no_collection()``.

    Rows hold no cycles. Each look goes through all rows that are there, and with many of them the
    looks take as long as the work itself.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

"""Attributes of torch's modules and classes that are other ones for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def patched(place: Any, **values: Any) -> Iterator[None]:
    """Set attributes of a module or class inside, and put the old ones back."""
    before = {name: getattr(place, name) for name in values}
    for name, value in values.items():
        setattr(place, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(place, name, value)

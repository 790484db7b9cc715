"""The names of ``thop.vision``."""

from __future__ import annotations

from dispatchcount.compat.thop.vision import basic_hooks

__all__ = ["basic_hooks"]

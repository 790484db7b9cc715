"""Composite operators that are counted whole, because torch runs another kernel for them when it can see a dispatch mode.

Their C++ code asks whether a tensor subclass or mode is around (``isTensorSubclassLike``), so running them as their parts would
change the user's result. Each has a rule of its own.
"""

from __future__ import annotations

ATOMIC = frozenset({"aten::linalg_eigvals", "aten::linalg_eigvalsh", "aten::linalg_svdvals"})

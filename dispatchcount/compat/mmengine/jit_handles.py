"""The names of ``mmengine.analysis.jit_handles``."""

from __future__ import annotations

from dispatchcount.compat._jit.handles import *  # noqa: F403
from dispatchcount.compat._jit.handles import __all__ as __all__

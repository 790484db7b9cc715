"""The names of ``mmengine.analysis.jit_analysis``."""

from __future__ import annotations

import logging
import sys

from dispatchcount.compat._jit.analysis import Analysis
from dispatchcount.compat._jit.counting import Statistics
from dispatchcount.compat._jit.names import named_modules_with_dup as _named_modules_with_dup
from dispatchcount.compat._jit.tables import IGNORED
from dispatchcount.compat._jit.values import Handle

_IGNORED_OPS = set(IGNORED)


class JitModelAnalysis(Analysis):
    """An analysis without handles of its own.

    Warnings go to mmengine's current logger if mmengine is loaded, else to the logger ``mmengine``.
    """

    def _log(self, message: str) -> None:
        mmengine = sys.modules.get("mmengine.logging")
        if mmengine is not None:
            mmengine.print_log(message, logger="current", level=logging.WARNING)
        else:
            logging.getLogger("mmengine").warning(message)


__all__ = ["_IGNORED_OPS", "Handle", "JitModelAnalysis", "Statistics", "_named_modules_with_dup"]

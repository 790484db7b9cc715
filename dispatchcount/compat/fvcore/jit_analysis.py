"""The names of ``fvcore.nn.jit_analysis``."""

from __future__ import annotations

import logging

from dispatchcount.compat._jit.analysis import Analysis
from dispatchcount.compat._jit.counting import Statistics
from dispatchcount.compat._jit.tables import IGNORED
from dispatchcount.compat._jit.values import Handle

_IGNORED_OPS = set(IGNORED)


class JitModelAnalysis(Analysis):
    """An analysis without handles of its own.

    Warnings go to fvcore's logger, ``fvcore.nn.jit_analysis``.
    """

    def _log(self, message: str) -> None:
        logging.getLogger("fvcore.nn.jit_analysis").warning(message)


__all__ = ["_IGNORED_OPS", "Handle", "JitModelAnalysis", "Statistics"]

"""mmengine's model complexity analysis.

Write ``from dispatchcount.compat.mmengine import …`` where ``from mmengine.analysis import …`` was.
"""

from __future__ import annotations

import sys

from dispatchcount.compat.mmengine.complexity_analysis import (
    ActivationAnalyzer,
    FlopAnalyzer,
    activation_count,
    flop_count,
    parameter_count,
    parameter_count_table,
)
from dispatchcount.compat.mmengine.print_helper import get_model_complexity_info

analysis = sys.modules[__name__]
"""For code that says ``mmengine.analysis.FlopAnalyzer``, with this package as ``mmengine``."""

__all__ = [
    "ActivationAnalyzer",
    "FlopAnalyzer",
    "activation_count",
    "flop_count",
    "get_model_complexity_info",
    "parameter_count",
    "parameter_count_table",
]

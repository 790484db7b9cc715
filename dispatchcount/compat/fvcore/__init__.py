"""fvcore's model analysis.

Write ``from dispatchcount.compat.fvcore import …`` instead of ``from fvcore.nn import …``.
"""

from __future__ import annotations

import sys

from dispatchcount.compat.fvcore.activation_count import ActivationCountAnalysis, activation_count
from dispatchcount.compat.fvcore.flop_count import FlopCountAnalysis, flop_count
from dispatchcount.compat.fvcore.parameter_count import parameter_count, parameter_count_table
from dispatchcount.compat.fvcore.print_model_statistics import flop_count_str, flop_count_table

nn = sys.modules[__name__]
"""For ``import dispatchcount.compat.fvcore as fvcore`` and then ``fvcore.nn.FlopCountAnalysis``."""

__all__ = [
    "ActivationCountAnalysis",
    "FlopCountAnalysis",
    "activation_count",
    "flop_count",
    "flop_count_str",
    "flop_count_table",
    "parameter_count",
    "parameter_count_table",
]

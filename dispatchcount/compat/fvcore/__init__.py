"""fvcore's model analysis.

Write ``from dispatchcount.compat.fvcore import …`` instead of ``from fvcore.nn import …``.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from dispatchcount.compat.fvcore.activation_count import ActivationCountAnalysis, activation_count
from dispatchcount.compat.fvcore.flop_count import FlopCountAnalysis, flop_count
from dispatchcount.compat.fvcore.parameter_count import parameter_count, parameter_count_table
from dispatchcount.compat.fvcore.print_model_statistics import flop_count_str, flop_count_table

nn = sys.modules[__name__]
"""For code that says ``fvcore.nn.FlopCountAnalysis``, with this package as ``fvcore``."""


def __getattr__(name: str) -> Any:
    """What else ``fvcore.nn`` has (losses, layers) comes from fvcore itself.

    So a line that imports some of that as well can be changed as a whole.

    Raises:
        ImportError: fvcore is not installed.
        AttributeError: fvcore has no such name either.
    """
    if not name.startswith("_"):
        try:
            theirs = importlib.import_module("fvcore.nn")
        except ImportError as error:
            raise ImportError(
                f"{__name__} holds fvcore's model analysis; {name} would come from fvcore itself, "
                "which is not installed: pip install fvcore"
            ) from error
        if hasattr(theirs, name):
            return getattr(theirs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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

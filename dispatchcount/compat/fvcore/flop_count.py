"""The names of ``fvcore.nn.flop_count``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import nn

from dispatchcount.compat._jit.figures import Flops, counts_in
from dispatchcount.compat._jit.tables import FLOP_HANDLES as _DEFAULT_SUPPORTED_OPS
from dispatchcount.compat._jit.values import Handle
from dispatchcount.compat.fvcore.jit_analysis import JitModelAnalysis


class FlopCountAnalysis(Flops, JitModelAnalysis):
    """Flops of a model, by module and operator.

    `dispatchcount.compat._jit.analysis.Analysis` describes what it does.
    """


def flop_count(
    model: nn.Module, inputs: Any, supported_ops: Mapping[str, Handle | None] | None = None
) -> tuple[dict[str, float], Counter[str]]:
    """Gigaflops by operator, and how often each unsupported operator ran.

    Args:
        model: the model.
        inputs: as for `FlopCountAnalysis`.
        supported_ops: more handles, or None for an operator to leave out.
    """
    return counts_in(1e9, FlopCountAnalysis(model, inputs), supported_ops)


__all__ = ["_DEFAULT_SUPPORTED_OPS", "FlopCountAnalysis", "flop_count"]

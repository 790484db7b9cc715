"""The names of ``fvcore.nn.activation_count``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import nn

from dispatchcount.compat._jit.figures import Activations, counts_in
from dispatchcount.compat._jit.tables import ACTIVATION_HANDLES as _DEFAULT_SUPPORTED_OPS
from dispatchcount.compat._jit.values import Handle
from dispatchcount.compat.fvcore.jit_analysis import JitModelAnalysis


class ActivationCountAnalysis(Activations, JitModelAnalysis):
    """Activations of a model, by module and operator.

    `dispatchcount.compat._jit.analysis.Analysis` describes what it does.
    """


def activation_count(
    model: nn.Module, inputs: Any, supported_ops: Mapping[str, Handle | None] | None = None
) -> tuple[dict[str, float], Counter[str]]:
    """Millions of activations by operator, and how often each unsupported operator ran.

    Args:
        model: the model.
        inputs: as for `ActivationCountAnalysis`.
        supported_ops: more handles, or None for an operator to leave out.
    """
    return counts_in(1e6, ActivationCountAnalysis(model, inputs), supported_ops)


__all__ = ["_DEFAULT_SUPPORTED_OPS", "ActivationCountAnalysis", "activation_count"]

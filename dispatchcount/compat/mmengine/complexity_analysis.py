"""The names of ``mmengine.analysis.complexity_analysis``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import nn

from dispatchcount.compat._jit.figures import Activations, Flops, counts_in
from dispatchcount.compat._jit.params import parameter_count, parameter_rows
from dispatchcount.compat._jit.tables import ACTIVATION_HANDLES as _DEFAULT_SUPPORTED_ACT_OPS
from dispatchcount.compat._jit.tables import FLOP_HANDLES as _DEFAULT_SUPPORTED_FLOP_OPS
from dispatchcount.compat._jit.text import boxed
from dispatchcount.compat._jit.values import Handle
from dispatchcount.compat.mmengine.jit_analysis import JitModelAnalysis


class FlopAnalyzer(Flops, JitModelAnalysis):
    """Flops of a model, by module and operator.

    `dispatchcount.compat._jit.analysis.Analysis` describes what it does.
    """


class ActivationAnalyzer(Activations, JitModelAnalysis):
    """Activations of a model, by module and operator.

    `dispatchcount.compat._jit.analysis.Analysis` describes what it does.
    """


def flop_count(
    model: nn.Module, inputs: Any, supported_ops: Mapping[str, Handle | None] | None = None
) -> tuple[dict[str, float], Counter[str]]:
    """Gigaflops by operator, and how often each unsupported operator ran.

    Args:
        model: the model.
        inputs: as for `FlopAnalyzer`.
        supported_ops: more handles, or None for an operator to leave out.
    """
    return counts_in(1e9, FlopAnalyzer(model, inputs), supported_ops)


def activation_count(
    model: nn.Module, inputs: Any, supported_ops: Mapping[str, Handle | None] | None = None
) -> tuple[dict[str, float], Counter[str]]:
    """Millions of activations by operator, and how often each unsupported operator ran.

    Args:
        model: the model.
        inputs: as for `ActivationAnalyzer`.
        supported_ops: more handles, or None for an operator to leave out.
    """
    return counts_in(1e6, ActivationAnalyzer(model, inputs), supported_ops)


def parameter_count_table(model: nn.Module, max_depth: int = 3) -> str:
    """The parameters of modules down to `max_depth`, as a table in a frame."""
    headers = ("name", "#elements or shape")
    return boxed(
        headers, parameter_rows(model, max_depth), f"parameter count of {type(model).__name__}"
    )


__all__ = [
    "_DEFAULT_SUPPORTED_ACT_OPS",
    "_DEFAULT_SUPPORTED_FLOP_OPS",
    "ActivationAnalyzer",
    "FlopAnalyzer",
    "activation_count",
    "flop_count",
    "parameter_count",
    "parameter_count_table",
]

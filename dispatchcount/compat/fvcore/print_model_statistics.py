"""The names of ``fvcore.nn.print_model_statistics``."""

from __future__ import annotations

from dispatchcount.compat._jit import statistics
from dispatchcount.compat._jit.statistics import *  # noqa: F403
from dispatchcount.compat._jit.statistics import Texts, stat_names, table_rows
from dispatchcount.compat._jit.text import _model_stats_str, architecture, module_rows, piped
from dispatchcount.compat.fvcore.activation_count import ActivationCountAnalysis
from dispatchcount.compat.fvcore.flop_count import FlopCountAnalysis


def flop_count_table(
    flops: FlopCountAnalysis,
    max_depth: int = 3,
    activations: ActivationCountAnalysis | None = None,
    show_param_shapes: bool = True,
) -> str:
    """Parameters, flops and, if given, activations of every module, as a Markdown table.

    Args:
        flops: the analysis; its warnings are switched off.
        max_depth: levels below the model that are shown.
        activations: an analysis of the same model.
        show_param_shapes: True to give each parameter a row with its shape.
    """
    return piped(*module_rows(flops, max_depth, activations, show_param_shapes))


def flop_count_str(
    flops: FlopCountAnalysis, activations: ActivationCountAnalysis | None = None
) -> str:
    """The model as it prints itself, with the figures of every module.

    The figures are parameters, flops and, if given, activations.

    Args:
        flops: the analysis; its warnings are switched off.
        activations: an analysis of the same model.
    """
    return architecture(flops, activations)


def _model_stats_table(
    statistics: Texts, max_depth: int = 3, stat_columns: list[str] | None = None
) -> str:
    """Statistics of modules, already texts, as a Markdown table."""
    columns = stat_names(statistics) if stat_columns is None else stat_columns
    return piped(["module", *columns], table_rows(statistics, max_depth, columns))


__all__ = [
    "_model_stats_str",
    "_model_stats_table",
    "flop_count_str",
    "flop_count_table",
]
__all__ += statistics.__all__

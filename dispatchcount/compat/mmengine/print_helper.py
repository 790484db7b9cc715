"""The names of ``mmengine.analysis.print_helper``, `get_model_complexity_info` among them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from dispatchcount.compat._jit import statistics
from dispatchcount.compat._jit.analysis import analyze_together
from dispatchcount.compat._jit.params import parameter_count
from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._jit.statistics import *  # noqa: F403
from dispatchcount.compat._jit.statistics import Texts, _format_size, stat_names, table_rows
from dispatchcount.compat._jit.text import _model_stats_str, architecture, boxed, module_rows
from dispatchcount.compat._modules import tensors
from dispatchcount.compat.mmengine.complexity_analysis import ActivationAnalyzer, FlopAnalyzer


def complexity_stats_table(
    flops: FlopAnalyzer,
    max_depth: int = 3,
    activations: ActivationAnalyzer | None = None,
    show_param_shapes: bool = True,
) -> str:
    """Parameters, flops and, if given, activations of every module, as a table in a frame.

    Args:
        flops: the analysis; its warnings are switched off.
        max_depth: levels below the model that are shown.
        activations: an analysis of the same model.
        show_param_shapes: True to give each parameter a row with its shape.
    """
    return boxed(*module_rows(flops, max_depth, activations, show_param_shapes))


def complexity_stats_str(flops: FlopAnalyzer, activations: ActivationAnalyzer | None = None) -> str:
    """The model as it prints itself, with the figures of every module.

    The figures are parameters, flops and, if given, activations.

    Args:
        flops: the analysis; its warnings are switched off.
        activations: an analysis of the same model.
    """
    return architecture(flops, activations)


def get_model_complexity_info(
    model: nn.Module,
    input_shape: Any = None,
    inputs: Any = None,
    show_table: bool = True,
    show_arch: bool = True,
) -> dict[str, Any]:
    """Flops, activations and parameters of a model, as numbers and in print.

    The model runs once, in the mode it is in and under the caller's grad mode. Its buffers and the
    random number generators are as before afterwards.

    Args:
        model: the model; it may have no parameters and may be on any device, meta too.
        input_shape: the sizes of a float32 input without its batch of one, ``(3, 224, 224)``, or
            a tuple of such for several inputs.
        inputs: the model's arguments, instead of `input_shape`: a tuple holds them in order, a
            mapping by the names that `forward` has for them; anything else (a tensor, a list) is
            the only argument.
        show_table: True to make ``out_table``.
        show_arch: True to make ``out_arch``.

    Returns:
        ``flops``, ``flops_str``, ``activations``, ``activations_str``, ``params``, ``params_str``,
        ``out_table`` and ``out_arch``.

    Raises:
        ValueError: neither or both of `input_shape` and `inputs` are given, or `input_shape` is
            not a tuple of ints or of such tuples.
    """
    if input_shape is None and inputs is None:
        raise ValueError('One of "input_shape" and "inputs" should be set.')
    if input_shape is not None and inputs is not None:
        raise ValueError('"input_shape" and "inputs" cannot be both set.')
    if inputs is None:
        inputs = _made_up(model, input_shape)
    flops, activations = FlopAnalyzer(model, inputs), ActivationAnalyzer(model, inputs)
    analyze_together(flops, activations)
    totals = {
        "flops": flops.total(),
        "activations": activations.total(),
        "params": parameter_count(model)[""],
    }
    info: dict[str, Any] = {}
    for name, total in totals.items():
        info |= {name: total, f"{name}_str": _format_size(total)}
    info["out_table"] = (
        "\n" + complexity_stats_table(flops, activations=activations) if show_table else ""
    )
    info["out_arch"] = "\n" + complexity_stats_str(flops, activations) if show_arch else ""
    return info


def _made_up(model: nn.Module, input_shape: Any) -> tuple[torch.Tensor, ...]:
    """Random inputs of the shapes given, on the model's device."""
    shapes = (input_shape,) if _is_sizes(input_shape) else input_shape
    if not isinstance(shapes, tuple) or not all(map(_is_sizes, shapes)):
        raise ValueError(
            '"input_shape" should be either a `tuple of int` (to construct one input tensor) or a '
            "`tuple of tuple of int` (to construct multiple input tensors); "
            f"got {input_shape!r}. Anything else goes in as `inputs`."
        )
    device = next((tensor.device for tensor in tensors(model)), torch.device("cpu"))
    with untouched(model):
        return tuple(torch.randn(1, *sizes, device=device) for sizes in shapes)


def _is_sizes(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(size, int) for size in value)


def _stats_table_format(
    statistics: Texts, max_depth: int = 3, stat_columns: list[str] | None = None
) -> str:
    """Statistics of modules, already texts, as a table in a frame."""
    columns = stat_names(statistics) if stat_columns is None else stat_columns
    return boxed(["module", *columns], table_rows(statistics, max_depth, columns))


__all__ = [
    "_model_stats_str",
    "_stats_table_format",
    "complexity_stats_str",
    "complexity_stats_table",
    "get_model_complexity_info",
]
__all__ += statistics.__all__

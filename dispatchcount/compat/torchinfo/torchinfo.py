"""The names of ``torchinfo.torchinfo``: `summary`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._modules import in_mode
from dispatchcount.compat._once import not_counted
from dispatchcount.compat.torchinfo import inputs
from dispatchcount.compat.torchinfo.calls import LayerCalls
from dispatchcount.compat.torchinfo.enums import ColumnSettings, Mode, RowSettings, Verbosity
from dispatchcount.compat.torchinfo.formatting import FormattingOptions
from dispatchcount.compat.torchinfo.layer_info import LayerInfo
from dispatchcount.compat.torchinfo.model_statistics import ModelStatistics
from dispatchcount.compat.torchinfo.rows import rows_of_calls, rows_of_modules
from dispatchcount.errors import described
from dispatchcount.profiler import profile

_NEED_INPUT = {ColumnSettings.INPUT_SIZE, ColumnSettings.OUTPUT_SIZE, ColumnSettings.MULT_ADDS}
_MODES = {Mode.TRAIN: True, Mode.EVAL: False, Mode.SAME: None}


@dataclass(frozen=True)
class _Passed:
    """What one forward pass gave: rows, mult-adds, and a sentence on what was not counted."""

    rows: list[LayerInfo]
    macs: int = 0
    not_counted: str = ""


_CACHE: dict[str, _Passed] = {}
"""Passes by the class of the model, where the caller asked for that."""


def summary(
    model: nn.Module,
    input_size: Any = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: torch.device | str | None = None,
    dtypes: Sequence[torch.dtype] | None = None,
    mode: str = "same",
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> ModelStatistics:
    """The modules of a model as a table: their sizes, parameters and mult-adds.

    The model runs once without gradients, unless there is no input; its modes, its buffers and the
    random number generators are as before afterwards. Each call of a module has a row. Mult-adds
    are the multiply-accumulates of all operators that ran; a row that has rows below it shows
    those that it ran itself.

    Args:
        model: the model.
        input_size: the sizes of its input, the batch's included, or a list of such.
        input_data: its input, a list of its positional inputs, or a dict of named ones.
        batch_dim: where the sizes in `input_size` lack a batch of one; in the table the batch of
            `input_data` is one.
        cache_forward_pass: True to run a class of models once and show that pass again;
            `clear_cached_forward_pass` forgets it.
        col_names: the columns: ``"input_size"``, ``"output_size"``, ``"num_params"``,
            ``"params_percent"``, ``"kernel_size"``, ``"groups"``, ``"mult_adds"``,
            ``"trainable"``. By default those of outputs and parameters.
        col_width: their width.
        depth: the greatest depth that is shown.
        device: where inputs are put; the model is moved there if there is an `input_size`. By
            default the device of the model's first parameter.
        dtypes: the dtypes of the inputs of `input_size`, float32 by default.
        mode: ``"train"``, ``"eval"`` or ``"same"``.
        row_settings: what rows show: ``"depth"``, ``"var_names"``, ``"ascii_only"``,
            ``"hide_recursive_layers"``. By default ``"depth"``.
        verbose: 0 prints nothing, 1 the table, 2 the parameters as well; by default 1, and 0 at a
            prompt.
        kwargs: more named inputs.

    Raises:
        ValueError: an option has no such value.
        TypeError: `input_size` is not a list or tuple.
        RuntimeError: both `input_size` and `input_data` are given, or the model raised.
    """
    given = input_size is not None or input_data is not None
    columns = _columns(col_names, given)
    rows = {RowSettings.DEPTH} if row_settings is None else set(map(RowSettings, row_settings))
    running = _MODES[Mode(mode)]
    if verbose is None:
        verbose = 0 if getattr(sys, "ps1", None) else 1
    if verbose not in tuple(Verbosity):
        raise ValueError(f"verbose is {verbose}; it is 0 (quiet), 1 (default) or 2 (parameters)")
    if col_width <= 0:
        raise ValueError(f"col_width is {col_width}; it must be greater than 0")
    if input_size is not None and input_data is not None:
        raise RuntimeError("input_size and input_data are both given; give one of them")

    place = None if device is None else torch.device(device)
    if input_size is not None:
        args, named, sizes = inputs.of_sizes(model, input_size, batch_dim, dtypes, place)
        if place is not None:
            model.to(place)
    else:
        args, named, sizes = inputs.of_data(input_data, place)
    named = named | (kwargs if place is None else inputs.moved(kwargs, place))
    nbytes = inputs.nbytes((args, named))

    key = type(model).__name__
    passed = _CACHE.get(key) if cache_forward_pass else None
    if passed is None:
        passed = _run(model, args, named, running) if given else _Passed(rows_of_modules(model))
        if cache_forward_pass:
            _CACHE[key] = passed
    if batch_dim is not None:
        inputs.set_batch_of_one(passed.rows, batch_dim)
    layout = FormattingOptions(depth, verbose, columns, col_width, rows)
    result = ModelStatistics(passed.rows, sizes, nbytes, layout, passed.macs, passed.not_counted)
    if verbose > Verbosity.QUIET:
        print(result)
    return result


def clear_cached_forward_pass() -> None:
    """Forget the passes that ``cache_forward_pass=True`` kept."""
    _CACHE.clear()


def _columns(col_names: Iterable[str] | None, given: bool) -> tuple[ColumnSettings, ...]:
    if col_names is None:
        sizes = (ColumnSettings.OUTPUT_SIZE,) if given else ()
        return (*sizes, ColumnSettings.NUM_PARAMS)
    columns = tuple(ColumnSettings(name) for name in col_names)
    missing = [column.value for column in columns if column in _NEED_INPUT]
    if missing and not given:
        raise ValueError(f"the columns {missing} need an input; give input_size or input_data")
    return columns


def _run(
    model: nn.Module, args: tuple[Any, ...], named: Mapping[str, Any], training: bool | None
) -> _Passed:
    calls = LayerCalls(model)
    with untouched(model), in_mode(model, training=training), torch.no_grad():
        try:
            with profile(model, convention="macs", wrappers=True) as prof, calls.followed():
                model(*args, **named)
        except Exception as error:
            ran = [f"{type(c.module).__name__} ({c.name})" for c in calls.calls if c.returned]
            raise RuntimeError(
                f"the model raised {described(error)}; these layers ran before: "
                f"{', '.join(ran) or 'none'}"
            ) from error
    report = prof.report
    calls.add_macs(report)
    return _Passed(rows_of_calls(model, calls.calls), report.macs, not_counted(report))


__all__ = ["clear_cached_forward_pass", "summary"]

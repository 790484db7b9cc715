"""The names of ``thop.profile``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._jit.names import named_modules_with_dup
from dispatchcount.compat._once import not_counted, run_once
from dispatchcount.compat._replaced import Replaced
from dispatchcount.report_api import Report

Layers = dict[str, tuple[int, int, Any]]
"""Multiply-accumulates, parameters and the same of what lies below, by the name of a module."""


def profile(
    model: nn.Module,
    inputs: Iterable[Any],
    custom_ops: Mapping[type, Callable[[Any, Any, Any], Any] | None] | None = None,
    verbose: bool = True,
    ret_layer_info: bool = False,
    report_missing: bool = False,
) -> tuple[int, int] | tuple[int, int, Layers]:
    """Multiply-accumulates and parameters of a model in eval mode.

    Args:
        model: the model.
        inputs: its positional arguments.
        custom_ops: functions by class of modules. Each takes a module, a tuple of its inputs and
            its output, and adds multiply-accumulates to ``module.total_ops``; they replace all
            that ran in the module. With None, modules of the class count nothing themselves.
        verbose: not used, because operators that could not be counted are always named.
        ret_layer_info: True to return the figures of the modules as well, as nested dicts.
        report_missing: not used, for the reason of `verbose`.

    Raises:
        ValueError: `custom_ops` has something else than functions and None.
    """
    custom = dict(custom_ops or {})
    silent = {cls for cls, hook in custom.items() if hook is None}
    replaced = Replaced(
        hooks={cls: hook for cls, hook in custom.items() if hook is not None},
        option="custom_ops",
        attribute="total_ops",
        start=_zero,
        bare=lambda module: type(module) in silent,
    )
    report = run_once(model, tuple(inputs), replaced=replaced)
    if not_counted(report):
        print(not_counted(report))
    if ret_layer_info:
        return report.macs, report.params, _layers(report, model)
    return report.macs, report.params


def profile_origin(
    model: nn.Module,
    inputs: Iterable[Any],
    custom_ops: Mapping[type, Callable[[Any, Any, Any], Any] | None] | None = None,
    verbose: bool = True,
    report_missing: bool = False,
) -> tuple[int, int]:
    """Thop's older way to count. Here there is one; see `profile`."""
    macs, params = profile(model, inputs, custom_ops, verbose, report_missing=report_missing)[:2]
    return macs, params


def _zero() -> torch.Tensor:
    """What thop's functions add to: they expect a tensor of one element."""
    return torch.zeros(1, dtype=torch.float64)


def _layers(report: Report, model: nn.Module) -> Layers:
    """The figures of all modules. A module that is held in several places has a row in each."""
    rows = report.by_module()
    layers: dict[str, Layers] = {"": {}}
    for name, _ in named_modules_with_dup(model):
        layers[name] = {}
        if name:
            parent, _, key = name.rpartition(".")
            row = rows[report.modules[report.module_index(name)].name]
            layers[parent][key] = (row.macs, row.params, layers[name])
    return layers[""]


__all__ = ["profile", "profile_origin"]

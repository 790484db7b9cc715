"""The names of ``thop.profile``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from dispatchcount.compat._once import not_counted, refuse, run_once


def profile(
    model: nn.Module,
    inputs: Iterable[Any],
    custom_ops: Any = None,
    verbose: bool = True,
    ret_layer_info: bool = False,
    report_missing: bool = False,
) -> tuple[int, int]:
    """Multiply-accumulates and parameters of a model in eval mode.

    Args:
        model: the model.
        inputs: its positional arguments.
        custom_ops: cannot be had.
        verbose: not used: operators that could not be counted are named in any case.
        ret_layer_info: cannot be had.
        report_missing: not used, as `verbose`.

    Raises:
        ValueError: `custom_ops` or `ret_layer_info` is given.
    """
    refuse(custom_ops=custom_ops, ret_layer_info=ret_layer_info)
    report = run_once(model, tuple(inputs))
    if not_counted(report):
        print(not_counted(report))
    return report.macs, report.params


def profile_origin(
    model: nn.Module,
    inputs: Iterable[Any],
    custom_ops: Any = None,
    verbose: bool = True,
    report_missing: bool = False,
) -> tuple[int, int]:
    """Thop's older way to count; here there is one, see `profile`."""
    return profile(model, inputs, custom_ops, verbose, report_missing=report_missing)


__all__ = ["profile", "profile_origin"]

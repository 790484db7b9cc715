"""thop's entry points: ``from dispatchcount.compat.thop import profile, clever_format``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from dispatchcount.compat._once import refuse, run_once


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
        verbose: whether to print which operators could not be counted, if any.
        ret_layer_info: cannot be had.
        report_missing: as `verbose`.

    Raises:
        ValueError: `custom_ops` or `ret_layer_info` is given.
    """
    refuse(custom_ops=custom_ops, ret_layer_info=ret_layer_info)
    report = run_once(model, tuple(inputs))
    missing = {**report.unknown_ops, **report.failed_ops}
    if missing and (verbose or report_missing):
        print(f"not counted: {', '.join(missing)}")
    return report.macs, report.params


def clever_format(nums: Any, format: str = "%.2f") -> Any:
    """A number, or each of several, with a suffix: ``"4.09G"``."""
    many = isinstance(nums, Iterable)
    texts = tuple(_text(float(number), format) for number in (nums if many else (nums,)))
    return texts if len(texts) != 1 else texts[0]


def _text(number: float, format: str) -> str:
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if number > size:
            return format % (number / size) + suffix
    return format % number + "B"


__all__ = ["clever_format", "profile"]

"""ptflops' entry point: ``from dispatchcount.compat.ptflops import get_model_complexity_info``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

from torch import nn

from dispatchcount.compat._modules import named_parameters
from dispatchcount.compat._once import empty_input, refuse, run_once, scaled

_MACS = {"GMac": 1e9, "MMac": 1e6, "KMac": 1e3, "Mac": 1}
_PARAMS = {"M": 1e6, "k": 1e3}


def get_model_complexity_info(
    model: nn.Module,
    input_res: tuple[int, ...],
    print_per_layer_stat: bool = True,
    as_strings: bool = True,
    input_constructor: Callable[[tuple[int, ...]], Any] | None = None,
    ost: TextIO | None = None,
    verbose: bool = False,
    ignore_modules: Any = (),
    custom_modules_hooks: Any = None,
    backend: str = "aten",
    flops_units: str | None = None,
    param_units: str | None = None,
    output_precision: int = 2,
    backend_specific_config: Any = None,
) -> tuple[Any, Any]:
    """Multiply-accumulates and trainable parameters of a model in eval mode.

    Args:
        model: the model.
        input_res: sizes of its input without the batch of one.
        print_per_layer_stat: whether to print the module table to `ost` (standard output if None).
        as_strings: whether to return ``"1.83 GMac"`` and ``"25.56 M"`` instead of ints.
        input_constructor: makes the model's input from `input_res`; a dict is taken as keyword arguments.
        ost: see `print_per_layer_stat`.
        verbose: not used.
        ignore_modules: cannot be had.
        custom_modules_hooks: cannot be had.
        backend: not used, there is one way to count.
        flops_units: the unit of the first string, ``"GMac"`` for instance; by default what fits.
        param_units: that of the second, ``"M"`` or ``"k"``.
        output_precision: decimals of strings.
        backend_specific_config: not used.

    Raises:
        ValueError: `ignore_modules` or `custom_modules_hooks` is given, or a unit is not known.
    """
    refuse(ignore_modules=ignore_modules, custom_modules_hooks=custom_modules_hooks)
    for unit, known in ((flops_units, _MACS), (param_units, _PARAMS)):
        if unit is not None and unit not in known:
            raise ValueError(f"the unit {unit!r} is not known; it is one of {', '.join(known)}")
    made = input_constructor(input_res) if input_constructor else empty_input(model, (1, *input_res))
    report = run_once(model, kwargs=made) if isinstance(made, dict) else run_once(model, (made,))
    if print_per_layer_stat:
        print(report, file=ost or sys.stdout)
    params = sum(p.numel() for p in named_parameters(model).values() if p.requires_grad)
    if not as_strings:
        return report.macs, params
    return scaled(report.macs, _MACS, output_precision, flops_units), scaled(params, _PARAMS, output_precision, param_units)


__all__ = ["get_model_complexity_info"]

"""The names of ``ptflops.flops_counter``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Any, TextIO

from torch import nn
from torch.utils import _pytree as pytree

from dispatchcount.compat._modules import named_parameters
from dispatchcount.compat._once import empty_input, hollow, not_counted, refuse, run_once
from dispatchcount.compat.ptflops.utils import flops_to_string, params_to_string
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.shape import Shape


class FLOPS_BACKEND(Enum):  # noqa: N801
    """ptflops' two ways to count; here there is one, and either name stands for it."""

    PYTORCH = "pytorch"
    ATEN = "aten"


def get_model_complexity_info(
    model: nn.Module,
    input_res: tuple[int, ...],
    print_per_layer_stat: bool = True,
    as_strings: bool = True,
    input_constructor: Callable[[tuple[int, ...]], Any] | None = None,
    ost: TextIO | None = None,
    verbose: bool = False,
    ignore_modules: Iterable[Any] = (),
    custom_modules_hooks: Mapping[Any, Callable[..., Any]] | None = None,
    backend: str | FLOPS_BACKEND = FLOPS_BACKEND.ATEN,
    flops_units: str | None = None,
    param_units: str | None = None,
    output_precision: int = 2,
    backend_specific_config: Any = None,
) -> tuple[Any, Any]:
    """Multiply-accumulates and trainable parameters of a model in eval mode.

    What could not be counted is named on `ost`.

    Args:
        model: the model.
        input_res: sizes of its input without the batch of one.
        print_per_layer_stat: whether to print the module table to `ost` (standard output if None).
        as_strings: whether to return ``"1.83 GMac"`` and ``"25.56 M"`` instead of ints.
        input_constructor: makes the model's input from `input_res`; a dict is taken as keyword arguments.
        ost: see `print_per_layer_stat`.
        verbose: not used.
        ignore_modules: operators that count nothing, ``torch.ops.aten.mm``; classes of modules cannot be had.
        custom_modules_hooks: by operator, functions of its inputs and outputs (tensors without contents, on the meta device)
            that return its multiply-accumulates; classes of modules cannot be had.
        backend: not used, there is one way to count.
        flops_units: the unit of the first string, ``"GMac"`` for instance; by default what fits.
        param_units: that of the second, ``"M"`` or ``"K"``.
        output_precision: decimals of strings.
        backend_specific_config: not used.

    Raises:
        ValueError: `ignore_modules` or `custom_modules_hooks` has a class of modules, or there is no such backend.
    """
    FLOPS_BACKEND(backend)
    ignored, custom = list(ignore_modules), dict(custom_modules_hooks or {})
    refuse(ignore_modules=_classes(ignored), custom_modules_hooks=_classes(custom))
    rules = {target: partial(_macs, hook) for target, hook in custom.items()} | dict.fromkeys(
        ignored, _nothing
    )
    made = (
        input_constructor(input_res) if input_constructor else empty_input(model, (1, *input_res))
    )
    args, kwargs = ((), made) if isinstance(made, dict) else ((made,), None)
    report, stream = run_once(model, args, kwargs, rules=rules or None), ost or sys.stdout
    if print_per_layer_stat:
        print(report, file=stream)
    elif not_counted(report):
        print(not_counted(report), file=stream)
    params = sum(p.numel() for p in named_parameters(model).values() if p.requires_grad)
    if not as_strings:
        return report.macs, params
    return (
        flops_to_string(report.macs, flops_units, output_precision),
        params_to_string(params, param_units, output_precision),
    )


def _classes(targets: Iterable[Any]) -> list[Any]:
    return [target for target in targets if isinstance(target, type)]


def _macs(hook: Callable[..., Any], *args: Any, out: Any, **kwargs: Any) -> Cost:
    """The cost of an operator by a user's hook, which gets its inputs and a tuple of its outputs."""
    several = isinstance(out, tuple) and not isinstance(out, Shape)
    inputs, outputs = pytree.tree_map(hollow, (args, out if several else (out,)))
    return Cost(macs=int(hook(inputs, outputs)))


def _nothing(*args: Any, **kwargs: Any) -> int:
    return 0


__all__ = ["FLOPS_BACKEND", "get_model_complexity_info"]

"""The names of ``ptflops.flops_counter``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Any, TextIO

from torch import nn
from torch.utils import _pytree as pytree

from dispatchcount.compat._modules import named_modules, named_parameters
from dispatchcount.compat._once import empty_input, hollow, not_counted, run_once
from dispatchcount.compat._replaced import Replaced
from dispatchcount.compat.ptflops.utils import flops_to_string, params_to_string
from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.shape import Shape


class FLOPS_BACKEND(Enum):  # noqa: N801
    """ptflops' two ways to count. Here there is one, and both names stand for it."""

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
    backend_specific_config: Mapping[str, Any] | None = None,
) -> tuple[Any, Any]:
    """Multiply-accumulates and trainable parameters of a model in eval mode.

    Operators that could not be counted are named on `ost`.

    Args:
        model: the model.
        input_res: the sizes of its input without the batch of one.
        print_per_layer_stat: True to print the module table.
        as_strings: True to return ``"1.83 GMac"`` and ``"25.56 M"`` instead of ints.
        input_constructor: makes the model's input from `input_res`; a dict holds keyword
            arguments.
        ost: the stream to print to, standard output if None.
        verbose: not used.
        ignore_modules: operators that count nothing (``torch.ops.aten.mm``), and classes of
            modules that count nothing, with all that lies below them; their parameters do not
            count either.
        custom_modules_hooks: functions by operator or by class of modules. That of an operator
            takes its inputs and outputs (tensors without contents, on the meta device) and returns
            its multiply-accumulates. That of a class takes a module, a tuple of its inputs and its
            output, and adds them to ``module.__flops__``; they replace all that ran in the module.
        backend: not used, because there is one way to count.
        flops_units: the unit of the first string, ``"GMac"`` for instance; by default what fits.
        param_units: the unit of the second string, ``"M"`` or ``"K"``.
        output_precision: the decimals of strings.
        backend_specific_config: with ``count_functional`` False, only what ran in torch's own
            layers counts, and not the operators that other modules run themselves.

    Raises:
        ValueError: there is no such backend, or `custom_modules_hooks` has something else than
            functions.
    """
    FLOPS_BACKEND(backend)
    ignored, custom = list(ignore_modules), dict(custom_modules_hooks or {})
    without = {target for target in ignored if isinstance(target, type)}

    # Operators are counted by rules of this pass alone, classes by rewriting its report.
    rules: dict[Any, Any] = {
        target: partial(_macs, hook)
        for target, hook in custom.items()
        if not isinstance(target, type)
    }
    rules |= dict.fromkeys((t for t in ignored if not isinstance(t, type)), _nothing)
    functional = (backend_specific_config or {}).get("count_functional", True)
    replaced = Replaced(
        hooks={target: hook for target, hook in custom.items() if isinstance(target, type)},
        option="custom_modules_hooks",
        attribute="__flops__",
        without=without,
        bare=_never if functional else _is_not_a_layer,
    )

    made = (
        input_constructor(input_res) if input_constructor else empty_input(model, (1, *input_res))
    )
    args, kwargs = ((), made) if isinstance(made, dict) else ((made,), None)
    report = run_once(model, args, kwargs, rules=rules or None, replaced=replaced)
    stream = ost or sys.stdout
    if print_per_layer_stat:
        print(report, file=stream)
    elif not_counted(report):
        print(not_counted(report), file=stream)
    params = _trainable(model, without)
    if not as_strings:
        return report.macs, params
    return (
        flops_to_string(report.macs, flops_units, output_precision),
        params_to_string(params, param_units, output_precision),
    )


def _trainable(model: nn.Module, without: set[type]) -> int:
    """Elements of the trainable parameters, except those that modules of some classes hold."""
    left_out = {
        id(parameter)
        for _, module in named_modules(model)
        if type(module) in without
        for parameter in named_parameters(module).values()
    }
    parameters = named_parameters(model).values()
    return sum(p.numel() for p in parameters if p.requires_grad and id(p) not in left_out)


def _never(module: nn.Module) -> bool:
    return False


def _is_not_a_layer(module: nn.Module) -> bool:
    """True for a module whose class is not one of torch's layers."""
    return not type(module).__module__.startswith("torch.nn.")


def _macs(hook: Callable[..., Any], *args: Any, out: Any, **kwargs: Any) -> Cost:
    """The cost of an operator by a user's hook, which takes its inputs and a tuple of outputs."""
    several = isinstance(out, tuple) and not isinstance(out, Shape)
    inputs, outputs = pytree.tree_map(hollow, (args, out if several else (out,)))
    return Cost(macs=int(hook(inputs, outputs)))


def _nothing(*args: Any, **kwargs: Any) -> int:
    return 0


__all__ = ["FLOPS_BACKEND", "get_model_complexity_info"]

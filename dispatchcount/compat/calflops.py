"""calflops' entry point: ``from dispatchcount.compat.calflops import calculate_flops``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._modules import named_parameters
from dispatchcount.compat._once import empty_input, not_counted, refuse, run_once

_SIZES = {"T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3, "": 1, "m": 1e-3, "u": 1e-6}


def calculate_flops(
    model: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    transformer_tokenizer: Any = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    forward_mode: str = "forward",
    include_backPropagation: bool = False,
    compute_bp_factor: float = 2.0,
    print_results: bool = True,
    print_detailed: bool = True,
    output_as_string: bool = True,
    output_precision: int = 2,
    output_unit: str | None = None,
    ignore_modules: Any = None,
    is_sparse: bool = False,
) -> tuple[Any, Any, Any]:
    """Flops, multiply-accumulates and parameters of a model in eval mode.

    A MAC is two flops here, and every element-wise operation is one.

    Args:
        model: the model.
        input_shape: sizes of its only input, the batch's included.
        args: its arguments by position, instead of `input_shape`.
        kwargs: its arguments by name.
        forward_mode: ``"forward"``, or the name of another method, ``"generate"``.
        include_backPropagation: whether to add an estimate of the backward pass, `compute_bp_factor` times the forward's.
        compute_bp_factor: see there.
        print_results: whether to print the three figures.
        print_detailed: and the module table.
        output_as_string: whether to return ``"8.21 GFLOPS"``, ``"4.09 GMACs"``, ``"25.56 M"`` instead of numbers.
        output_precision: decimals of strings.
        output_unit: ``"G"`` for instance; by default what fits.
        transformer_tokenizer: cannot be had; pass what it returns as `kwargs`.
        ignore_modules: cannot be had.
        is_sparse: cannot be had.

    Raises:
        ValueError: an option that cannot be had is given, or there is not exactly one of `input_shape` and arguments.
    """
    refuse(
        transformer_tokenizer=transformer_tokenizer,
        ignore_modules=ignore_modules,
        is_sparse=is_sparse,
    )
    if (input_shape is None) == (not args and not kwargs):
        raise ValueError("give either input_shape or args and kwargs")
    if output_unit is not None and output_unit not in _SIZES:
        raise ValueError(
            f"the unit {output_unit!r} is not known; it is one of {', '.join(filter(None, _SIZES))}"
        )
    given = tuple(args) if input_shape is None else (empty_input(model, input_shape),)
    report = run_once(model, given, kwargs, forward_mode, convention="full")
    factor = 1 + compute_bp_factor if include_backPropagation else 1
    figures = [report.flops * factor, report.macs * factor, report.params]
    ways = (flops_to_string, macs_to_string, params_to_string)
    texts = [
        way(value, output_unit, output_precision) for way, value in zip(ways, figures, strict=True)
    ]
    if print_results and print_detailed:
        print(report)
    elif not_counted(report):
        print(not_counted(report))
    if print_results:
        print("FLOPs {}, MACs {}, parameters {}".format(*texts))
    values = texts if output_as_string else figures
    return values[0], values[1], values[2]


def calculate_flops_hf(
    model_name: str,
    empty_model: nn.Module | None = None,
    input_shape: tuple[int, int] = (1, 128),
    trust_remote_code: bool = True,
    access_token: str = "",
    **options: Any,
) -> tuple[Any, Any, Any]:
    """The same of a transformers model that is made from its configuration, without weights, on the meta device.

    Args:
        model_name: a folder or a name on the hub that has the configuration.
        empty_model: the model, if it is at hand.
        input_shape: batch and length of the tokens.
        trust_remote_code: whether code that comes with the configuration may run.
        access_token: for configurations that are not public.
        options: as for `calculate_flops`.

    Raises:
        ImportError: transformers is not installed.
    """
    model = (
        create_empty_model(model_name, trust_remote_code, access_token)
        if empty_model is None
        else empty_model
    )
    like = next(iter(named_parameters(model).values()), None)
    tokens = torch.zeros(
        input_shape, dtype=torch.long, device=None if like is None else like.device
    )
    return calculate_flops(model, kwargs={"input_ids": tokens}, **options)


def create_empty_model(
    model_name: str, trust_remote_code: bool = True, access_token: str = ""
) -> nn.Module:
    """A transformers model without weights; see `calculate_flops_hf`.

    Raises:
        ImportError: transformers is not installed.
    """
    from transformers import AutoConfig, AutoModel

    options = {"trust_remote_code": trust_remote_code}
    config = AutoConfig.from_pretrained(model_name, token=access_token or None, **options)
    with torch.device("meta"):
        return AutoModel.from_config(config, **options)


def number_to_string(num: float, units: str | None = None, precision: int = 2) -> str:
    """A number and its unit with a blank between: ``"18.94 K"``, ``"64 "``.

    Args:
        num: the number.
        units: one of T, G, M, K, m, u; by default what fits; any other is appended as it is.
        precision: decimals.
    """
    if units is None:
        units = next((name for name, size in _SIZES.items() if num >= size), "u" if num else "")
    return f"{round(num / _SIZES.get(units, 1), precision):g} {units}"


def flops_to_string(flops: float, units: str | None = None, precision: int = 2) -> str:
    """``"8.21 GFLOPS"``; see `number_to_string`."""
    return f"{number_to_string(flops, units, precision)}FLOPS"


def macs_to_string(macs: float, units: str | None = None, precision: int = 2) -> str:
    """``"4.09 GMACs"``; see `number_to_string`."""
    return f"{number_to_string(macs, units, precision)}MACs"


def bytes_to_string(b: float, units: str | None = None, precision: int = 2) -> str:
    """``"97.5 MB"``; see `number_to_string`."""
    return f"{number_to_string(b, units, precision)}B"


def params_to_string(params_num: float, units: str | None = None, precision: int = 2) -> str:
    """``"25.56 M"``, and ``"7.1 B"`` for what other numbers have G for; see `number_to_string`."""
    text = number_to_string(params_num, units.replace("B", "G") if units else units, precision)
    return text.replace("G", "B").strip()


__all__ = [
    "bytes_to_string",
    "calculate_flops",
    "calculate_flops_hf",
    "create_empty_model",
    "flops_to_string",
    "macs_to_string",
    "number_to_string",
    "params_to_string",
]

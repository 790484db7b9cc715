"""calflops' names: ``from dispatchcount.compat.calflops import calculate_flops``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._modules import named_parameters
from dispatchcount.compat._once import empty_input, not_counted, run_once
from dispatchcount.compat._replaced import Replaced
from dispatchcount.compat._units import (
    SIZES,
    bytes_to_string,
    flops_to_string,
    macs_to_string,
    number_to_string,
    params_to_string,
)

_TOKENS = (1, 128)
"""Batch and length of the tokens where no shape is given."""


def calculate_flops(
    model: nn.Module,
    input_shape: Sequence[int] | None = None,
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
    ignore_modules: Collection[type] | None = None,
    is_sparse: bool = False,
) -> tuple[Any, Any, Any]:
    """Flops, multiply-accumulates and parameters of a model in eval mode.

    A MAC is two flops here, and every element-wise operation is one.

    Args:
        model: the model.
        input_shape: the sizes of its only input, the batch's included.
        transformer_tokenizer: a tokenizer; the model gets all inputs that it makes, with
            `input_shape` for batch and length.
        args: the model's arguments by position, instead of `input_shape`.
        kwargs: the model's arguments by name.
        forward_mode: ``"forward"``, or the name of another method, ``"generate"``.
        include_backPropagation: True to add an estimate of the backward pass, which is
            `compute_bp_factor` times the forward pass.
        compute_bp_factor: see there.
        print_results: True to print the three figures.
        print_detailed: True to print the module table as well.
        output_as_string: True to return ``"8.21 GFLOPS"``, ``"4.09 GMACs"`` and ``"25.56 M"``
            instead of numbers.
        output_precision: the decimals of strings.
        output_unit: the unit of strings, ``"G"`` for instance; by default what fits.
        ignore_modules: classes of modules that count nothing, with all that lies below them.
        is_sparse: not supported; passing True raises ValueError.

    Raises:
        ValueError: `is_sparse` is set, there is no such unit, or there is not exactly one of
            `input_shape` and arguments.
    """
    if is_sparse:
        raise ValueError(
            "is_sparse=True is not supported: operators are counted by shapes, and a shape does "
            "not say how many weights are 0; leave it out to count all of them"
        )
    if transformer_tokenizer is not None:
        kwargs = generate_transformer_input(transformer_tokenizer, input_shape, _device(model))
        input_shape = None
    if (input_shape is None) == (not args and not kwargs):
        raise ValueError("give either input_shape or args and kwargs")
    given = tuple(args) if input_shape is None else (empty_input(model, tuple(input_shape)),)
    values, _ = _calculate(
        model,
        given,
        kwargs,
        forward_mode,
        1 + compute_bp_factor if include_backPropagation else 1,
        (print_results, print_detailed),
        (output_as_string, output_precision, output_unit),
        ignore_modules,
    )
    return values


def _calculate(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    method: str,
    factor: float,
    shown: tuple[bool, bool],
    form: tuple[bool, int, str | None],
    ignored: Collection[type] | None,
) -> tuple[tuple[Any, Any, Any], str]:
    """The three figures of one pass, and what is to be printed of it.

    Args:
        model: the model.
        args: its arguments by position.
        kwargs: its arguments by name.
        method: the method to call.
        factor: what to multiply flops and MACs by, for the backward pass.
        shown: True to print the figures, and True to print the module table.
        form: True to return strings, their decimals, and their unit.
        ignored: classes of modules that count nothing.
    """
    as_string, precision, unit = form
    if unit is not None and unit not in SIZES:
        known = ", ".join(filter(None, SIZES))
        raise ValueError(f"the unit {unit!r} is not known; it is one of {known}")
    replaced = Replaced(without=set(ignored or ()))
    report = run_once(model, args, kwargs, method, convention="full", replaced=replaced)
    figures = (report.flops * factor, report.macs * factor, report.params)
    ways = (flops_to_string, macs_to_string, params_to_string)
    texts = [way(value, unit, precision) for way, value in zip(ways, figures, strict=True)]
    line = "FLOPs {}, MACs {}, parameters {}".format(*texts)
    if all(shown):
        print(report)
    elif not_counted(report):
        print(not_counted(report))
    if shown[0]:
        print(line)
    return ((texts[0], texts[1], texts[2]) if as_string else figures), f"{report}\n{line}"


def _device(model: nn.Module) -> torch.device | None:
    """The device of the model's first parameter; None if it has none."""
    like = next(iter(named_parameters(model).values()), None)
    return None if like is None else like.device


def calculate_flops_hf(
    model_name: str,
    empty_model: nn.Module | None = None,
    input_shape: Sequence[int] | None = None,
    trust_remote_code: bool = True,
    access_token: str = "",
    forward_mode: str = "forward",
    include_backPropagation: bool = False,
    compute_bp_factor: float = 2.0,
    print_results: bool = True,
    print_detailed: bool = True,
    output_as_string: bool = True,
    output_precision: int = 2,
    output_unit: str | None = None,
    ignore_modules: Collection[type] | None = None,
    return_results: bool = False,
) -> tuple[Any, ...]:
    """Flops, multiply-accumulates and parameters of a transformers model from its configuration.

    The model is made without weights, on the meta device, and runs on tokens alone.

    Args:
        model_name: a folder that has the configuration, or a name on the hub.
        empty_model: the model, if it is at hand.
        input_shape: batch and length of the tokens, ``(1, 128)`` by default.
        trust_remote_code: True to let code run that comes with the configuration.
        access_token: for configurations that are not public.
        forward_mode: as for `calculate_flops`, and so are the arguments below.
        include_backPropagation: see there.
        compute_bp_factor: see there.
        print_results: see there.
        print_detailed: see there.
        output_as_string: see there.
        output_precision: see there.
        output_unit: see there.
        ignore_modules: see there.
        return_results: True to return what would be printed as a fourth value.

    Raises:
        ImportError: transformers is not installed.
        OSError: there is no such configuration; transformers' message says where it looked.
    """
    model = empty_model
    if model is None:
        model = create_empty_model(model_name, trust_remote_code, access_token)
    shape = tuple(input_shape or _TOKENS)
    tokens = {"input_ids": torch.zeros(shape, dtype=torch.long, device=_device(model))}
    values, text = _calculate(
        model,
        (),
        tokens,
        forward_mode,
        1 + compute_bp_factor if include_backPropagation else 1,
        (print_results, print_detailed),
        (output_as_string, output_precision, output_unit),
        ignore_modules,
    )
    return (*values, text) if return_results else values


def create_empty_model(
    model_name: str, trust_remote_code: bool = True, access_token: str = ""
) -> nn.Module:
    """A transformers model without weights; see `calculate_flops_hf`.

    Raises:
        ImportError: transformers is not installed.
        OSError: there is no such configuration.
    """
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise ImportError(
            "a model is made from its configuration by transformers, which is not installed; "
            "pip install transformers, or pass the model as empty_model"
        ) from error
    options = {"trust_remote_code": trust_remote_code}
    config = AutoConfig.from_pretrained(model_name, token=access_token or None, **options)
    with torch.device("meta"):
        return AutoModel.from_config(config, **options)


def generate_transformer_input(
    model_tokenizer: Any, input_shape: Sequence[int] | None = None, device: Any = None
) -> dict[str, torch.Tensor]:
    """The inputs that a tokenizer would make for sequences of one length.

    No text is needed, because operators are counted by shapes: all tokens are 0, and none is
    masked.

    Args:
        model_tokenizer: a tokenizer of transformers; its `model_input_names` are used.
        input_shape: batch and length, ``(1, 128)`` by default.
        device: where the tensors go.

    Raises:
        ValueError: `model_tokenizer` does not say what inputs it makes.
    """
    names = getattr(model_tokenizer, "model_input_names", None)
    if names is None:
        raise ValueError(
            f"transformer_tokenizer is {model_tokenizer!r}, which has no model_input_names; give a "
            "tokenizer of transformers, or the model's inputs as kwargs"
        )
    batch, length = input_shape or _TOKENS
    inputs = {name: torch.zeros(batch, length, dtype=torch.long, device=device) for name in names}
    if "attention_mask" in inputs:
        inputs["attention_mask"] += 1
    if "position_ids" in inputs:
        inputs["position_ids"] += torch.arange(length, device=device)
    return inputs


__all__ = [
    "bytes_to_string",
    "calculate_flops",
    "calculate_flops_hf",
    "create_empty_model",
    "flops_to_string",
    "generate_transformer_input",
    "macs_to_string",
    "number_to_string",
    "params_to_string",
]

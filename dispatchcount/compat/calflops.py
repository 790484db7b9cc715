"""calflops' entry point: ``from dispatchcount.compat.calflops import calculate_flops``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from dispatchcount.compat._once import empty_input, refuse, run_once, scaled

_SIZES = {"T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3}


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
    refuse(transformer_tokenizer=transformer_tokenizer, ignore_modules=ignore_modules, is_sparse=is_sparse)
    if (input_shape is None) == (not args and not kwargs):
        raise ValueError("give either input_shape or args and kwargs")
    if output_unit is not None and output_unit not in _SIZES:
        raise ValueError(f"the unit {output_unit!r} is not known; it is one of {', '.join(_SIZES)}")
    given = tuple(args) if input_shape is None else (empty_input(model, input_shape),)
    report = run_once(model, given, kwargs, forward_mode)
    factor = 1 + compute_bp_factor if include_backPropagation else 1
    figures = [report.with_convention("full").flops * factor, report.macs * factor, report.params]
    units = ("FLOPS", "MACs", "")
    texts = [
        scaled(
            value, {f"{name}{unit}": size for name, size in _SIZES.items()}, output_precision, output_unit and output_unit + unit
        )
        for value, unit in zip(figures, units, strict=True)
    ]
    if print_results and print_detailed:
        print(report)
    if print_results:
        print("FLOPs {}, MACs {}, parameters {}".format(*texts))
    values = texts if output_as_string else figures
    return values[0], values[1], values[2]


__all__ = ["calculate_flops"]

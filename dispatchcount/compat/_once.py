"""One forward pass of a model in eval mode and without gradients, as ptflops, thop and calflops count it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._modules import evaluating, named_parameters
from dispatchcount.profiler import profile
from dispatchcount.report_api import Report
from dispatchcount.rules.core.shape import Shape


def run_once(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    method: str = "forward",
    *,
    convention: str = "macs",
    rules: Mapping[Any, Any] | None = None,
) -> Report:
    """Profile one pass; the model's modes, buffers and the random number generators are as before afterwards.

    Args:
        model: the model.
        args: its arguments by position.
        kwargs: and by name.
        method: what to call, ``"generate"`` for instance.
        convention: what a flop is in the report, which is printed beside the figure that is returned.
        rules: rules for this pass alone, by operator.
    """
    call = model if method == "forward" else getattr(model, method)
    with (
        untouched(model),
        evaluating(model),
        torch.no_grad(),
        profile(model, convention=convention, rules=rules) as prof,
    ):
        call(*args, **(kwargs or {}))
    return prof.report


def empty_input(model: nn.Module, sizes: tuple[int, ...]) -> torch.Tensor:
    """An input of `sizes` of the type and on the device of the model's first parameter."""
    like = next(iter(named_parameters(model).values()), None)
    return (
        torch.ones(sizes)
        if like is None
        else torch.ones(sizes, dtype=like.dtype, device=like.device)
    )


def not_counted(report: Report) -> str:
    """A sentence that names the operators without a count, ``"not counted: mylib.foo (2 calls)"``; empty if there are none."""
    missing = {**report.unknown_ops, **report.failed_ops}
    named = ", ".join(
        f"{op} ({issue.calls} call{'s' * (issue.calls != 1)})" for op, issue in missing.items()
    )
    return f"not counted: {named}" if named else ""


def refuse(**options: Any) -> None:
    """Raise for options of the other library that have no meaning here.

    Raises:
        ValueError: one is set.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise ValueError(
            f"{', '.join(given)} cannot be had here: not modules are counted but the operators that they run. "
            f"Give an operator its cost with @dispatchcount.register, and read module figures off dispatchcount.profile(model)."
        )


def hollow(value: Any) -> Any:
    """A tensor without contents for a `Shape`, for formulas that ask tensors; anything else as it is."""
    if not isinstance(value, Shape):
        return value
    return torch.empty(tuple(value), dtype=getattr(torch, value.dtype), device="meta")

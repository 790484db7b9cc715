"""One forward pass of a model without gradients, as ptflops, thop, calflops and others count it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._modules import in_mode, named_parameters
from dispatchcount.compat._replaced import Replaced
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
    replaced: Replaced | None = None,
    training: bool | None = False,
) -> Report:
    """Profile one pass.

    The model's modes, buffers and the random number generators are as before afterwards.

    Args:
        model: the model.
        args: its arguments by position.
        kwargs: its arguments by name.
        method: the method to call, ``"generate"`` for instance.
        convention: what a flop is in the report. It should be that of the returned figure, because
            the report is printed beside it.
        rules: rules for this pass alone, by operator.
        replaced: modules with a figure of their own.
        training: the mode to run in, eval by default; None leaves every module in its own.
    """
    call = model if method == "forward" else getattr(model, method)
    replaced = replaced or Replaced()
    with (
        untouched(model),
        in_mode(model, training=training),
        torch.no_grad(),
        replaced.counting(model),
        profile(model, convention=convention, rules=rules, wrappers=True) as prof,
    ):
        call(*args, **(kwargs or {}))
    return replaced.rewritten(prof.report, model)


def empty_input(model: nn.Module, sizes: tuple[int, ...]) -> torch.Tensor:
    """An input of `sizes` with the dtype and on the device of the model's first parameter."""
    like = next(iter(named_parameters(model).values()), None)
    return (
        torch.ones(sizes)
        if like is None
        else torch.ones(sizes, dtype=like.dtype, device=like.device)
    )


def not_counted(report: Report) -> str:
    """A sentence that names the operators without a count; ``""`` if there are none.

    ``"not counted: mylib.foo (2 calls)"``
    """
    missing = {**report.unknown_ops, **report.failed_ops}
    named = ", ".join(
        f"{op} ({issue.calls} call{'s' * (issue.calls != 1)})" for op, issue in missing.items()
    )
    return f"not counted: {named}" if named else ""


def hollow(value: Any) -> Any:
    """A tensor without contents for a `Shape`, for formulas that take tensors; else `value`."""
    if not isinstance(value, Shape):
        return value
    return torch.empty(tuple(value), dtype=getattr(torch, value.dtype), device="meta")

"""The functions that a plan is given: how each is called, what it returns, and what it raised."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dispatchcount.distributed.cluster.values import asks_for_values
from dispatchcount.errors import UsageError, described, kind_of

BUILD, PARALLELIZE, OPTIMIZER = "build()", "parallelize(model, mesh)", "optimizer(parameters)"


def step_call(optimizer: object, *, loaded: bool) -> str:
    """How the step is called, ``"step(model, optimizer)"``."""
    given = ["model"] + ["optimizer"] * (optimizer is not None) + ["load=load"] * loaded
    return f"step({', '.join(given)})"


def check(build: Any, parallelize: Any, step: Any, optimizer: Any, *, loaded: bool = False) -> None:
    """See that each can be called as a plan calls it, before anything runs.

    The step is given a load if one is assumed, that is if `loaded` is True.

    Raises:
        UsageError: one is no function, or takes other arguments.
    """
    _takes(build, BUILD, 0)
    if parallelize is not None:
        _takes(parallelize, PARALLELIZE, 2)
    if optimizer is not None:
        _takes(optimizer, OPTIMIZER, 1)
    more = "" if optimizer is not None else "; it is given an optimizer where plan() has optimizer="
    names = {"load": None} if loaded else {}
    _takes(step, step_call(optimizer, loaded=loaded), 1 + (optimizer is not None), names, more)


def _takes(
    function: Any, call: str, count: int, names: dict[str, Any] | None = None, more: str = ""
) -> None:
    """See that a function can be called with so many arguments, and with those names.

    What has no signature, as classes of C++ have none, is let by.
    """
    name = call.partition("(")[0]
    if not callable(function) or isinstance(function, nn.Module | torch.optim.Optimizer):
        raise UsageError(
            f"{name} is {kind_of(function)}, not a function; a plan calls it as {call}"
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*[None] * count, **(names or {}))
    except TypeError as error:
        raise UsageError(
            f"{name}{signature} is called as {call}, and does not take that: {error}{more}"
        ) from None


def module(value: Any, what: str, expected: str) -> nn.Module:
    """`value`, if it is a module.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, nn.Module):
        raise UsageError(
            f"{what} returned {kind_of(value)}, not a torch.nn.Module; it must {expected}"
        )
    return value


def optimizer(value: Any) -> torch.optim.Optimizer:
    """`value`, if it is an optimizer.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, torch.optim.Optimizer):
        got = kind_of(value)
        raise UsageError(
            f"{OPTIMIZER} returned {got}, not a torch.optim.Optimizer; give a class such as "
            "torch.optim.AdamW, or a function that returns an optimizer of those parameters"
        )
    return value


@contextmanager
def said(what: str, when: str = "") -> Iterator[None]:
    """Say which of the functions raised, and what a plan has to do with it.

    Raises:
        UsageError: something was raised inside, which is its cause.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        raised = f"{what} raised {when}".rstrip()
        text = described(error).rstrip(".!")
        raise UsageError(f"{raised}: {text}{_hint(error)}") from error


def _hint(error: BaseException) -> str:
    """What to do about an error that comes of planning; ``""`` for any other."""
    text = str(error).lower().replace("devicemesh", "")  # it is in errors of any layout
    if asks_for_values(error):
        return (
            ". It read a value out of a tensor, and in a plan tensors have none: leave out what "
            "shows a loss or gathers objects. Where the value says how tokens are routed, give "
            "what is assumed of it as load="
        )
    if "process group" in text:
        return (
            ". A plan has a process group of its own: leave out init_process_group and "
            "destroy_process_group"
        )
    if any(word in text for word in _ELSEWHERE):
        return ". In a plan all tensors are on the CPU: move none to another device"
    return ""


_ELSEWHERE = ("device", "cuda", "nvidia", "couldn't swap")
"""Words of errors that come of a device that is not there; the last are those of `Module.to`."""

"""Builds a model on a device, even if its builder cannot work on that device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from dispatchcount.cli import memory
from dispatchcount.cli.foreign import ForeignError, foreign
from dispatchcount.cli.streams import complain
from dispatchcount.errors import UsageError, described

Make = Callable[[], Any]


def build(
    make: Make, device: str, target: str, did: str, hint: str = "", *, estimated: bool = False
) -> Any:
    """What `make` returns, called under ``torch.device(device)``.

    A builder may fail on meta because it reads numbers from its tensors. It is run again on the
    CPU then, and the caller moves what it makes.

    Args:
        make: the builder.
        device: as ``torch.device`` takes it.
        target: the builder's name on the command line.
        did: what to say of a builder that raises, as for `foreign`.
        hint: what to say behind it, as for `foreign`.
        estimated: True if `make` may be called once more, on meta, to tell its size beforehand.

    Raises:
        UsageError: the builder raised, or makes a model that is too big for the memory.
    """
    kind = torch.device(device).type
    if kind == "cpu":
        if estimated:
            _refuse_too_big(make, target)
        return _on_cpu(make, target, did, hint, "with --device meta it takes none")
    try:
        with foreign(did, hint), torch.device(device):
            return make()
    except ForeignError as error:
        reason = error.__cause__
        if kind != "meta" or not isinstance(reason, Exception):
            raise
    why = f"it cannot be built on meta, where tensors hold no numbers ({described(reason)})"
    free, needed = memory.free(), _estimate(make)
    if free is not None and needed is not None and needed > free:
        raise UsageError(
            _too_big(target, free, f"it takes about {_size(needed)}; {why}")
        ) from reason
    model = _on_cpu(make, target, did, hint, why)
    complain(f"{target} was built on the CPU and then moved, for {why}")
    return model


def moved(model: nn.Module, device: str) -> nn.Module:
    """`model` on `device`.

    Raises:
        UsageError: it cannot be moved.
    """
    with foreign(f"to move {type(model).__name__} to {device} raised"):
        there = model.to(device)
    return there if isinstance(there, nn.Module) else model


def _on_cpu(make: Make, target: str, did: str, hint: str, otherwise: str) -> Any:
    free = memory.free()
    try:
        with memory.at_most(free), foreign(did, hint), torch.device("cpu"):
            return make()
    except ForeignError as error:
        if memory.was_too_much(error.__cause__):
            raise UsageError(_too_big(target, free, otherwise)) from error
        raise


def _too_big(target: str, free: int | None, otherwise: str) -> str:
    there_is = "" if free is None else f", of which {_size(free)} are free"
    return f"{target} is too big to be built on the CPU, for want of memory{there_is}; {otherwise}"


def _refuse_too_big(make: Make, target: str) -> None:
    """Raise a UsageError if what `make` returns is too big for the memory that is free."""
    free, needed = memory.free(), _estimate(make)
    if free is not None and needed is not None and needed > free:
        raise UsageError(
            _too_big(
                target,
                free,
                f"it takes about {_size(needed)} for its parameters; with --device meta it takes "
                "none, and is counted all the same",
            )
        )


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:,.1f} GB"


def _estimate(make: Make) -> int | None:
    """About how many bytes the parameters and buffers of what `make` returns take.

    `make` is run on meta with invented numbers. What it makes may differ from the real model where
    that depends on the numbers, so it is used for nothing else.

    Returns:
        None if it cannot be made that way either.
    """
    try:
        with foreign("no estimate:"), torch.device("meta"), _InventedScalars(), _InventedArrays():
            model = make()
            tensors = [*model.parameters(), *model.buffers()]
            held: dict[int, int] = {
                t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors
            }
            return sum(held.values())
    except ForeignError:
        return None


class _InventedScalars(TorchDispatchMode):
    """Every number that is read from a tensor is 0."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return torch.zeros((), dtype=args[0].dtype, device="cpu").item()
        return func(*args, **(kwargs or {}))


class _InventedArrays(TorchFunctionMode):
    """Every list and array that is made of a tensor is full of zeros."""

    READS = (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.READS:
            args = (torch.zeros(args[0].shape, dtype=args[0].dtype, device="cpu"), *args[1:])
        return func(*args, **(kwargs or {}))

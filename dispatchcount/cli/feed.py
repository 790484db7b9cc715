"""The inputs that ``dispatchcount profile`` runs a model on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from itertools import islice
from math import prod
from typing import Any

import torch
from torch import nn

from dispatchcount.cli import memory
from dispatchcount.cli.foreign import foreign
from dispatchcount.cli.targets import attribute
from dispatchcount.cli.usual_inputs import Inputs, usual_inputs
from dispatchcount.errors import UsageError

_MOST_NAMED = 8


def make_inputs(
    model: nn.Module,
    library: str,
    shapes: list[str],
    maker: str | None,
    device: str,
    *,
    batch: int | None = None,
    length: int | None = None,
    dtype: torch.dtype | None = None,
) -> Inputs:
    """Positional and named inputs for `model`.

    Args:
        model: the model.
        library: where it comes from; decides on inputs if none are given.
        shapes: ``"1,3,224,224"`` or with a dtype ``"1,128:int64"``, one for each positional input.
        maker: ``file.py:make``, which returns a tensor, a tuple of inputs, or a dict of named ones.
        device: where tensors go.
        batch: the first size of each input; by default that of the shape, or 1.
        length: tokens of each sequence that is made by default.
        dtype: of floating inputs whose shape names none.

    Raises:
        UsageError: a shape or the maker is wrong, or there is nothing to go by.
    """
    if length is not None and (shapes or maker is not None or library != "transformers"):
        raise UsageError(
            f"--length {length} is for the tokens that a model of transformers gets by default; "
            f"give the shape: --input 1,{length}:int64"
        )
    if batch is not None and maker is not None:
        raise UsageError(f"--batch {batch} does not apply to --inputs, whose function sets it")
    if maker is not None:
        if shapes:
            raise UsageError(
                "--input and --inputs were both given; give shapes, or a function that makes the "
                "inputs"
            )
        make = attribute(maker)
        if not callable(make):
            raise UsageError(
                f"{maker} is a {type(make).__name__}; "
                "--inputs needs a function that returns the inputs"
            )
        with foreign(
            f"{maker}() raised", "; it is called without arguments and returns the inputs"
        ):
            return _arranged(_moved(make(), device))
    if shapes:
        return tuple(tensor_of(text, device, batch, dtype) for text in shapes), {}
    how = "give its shape with --input 1,3,224,224, or make it with --inputs file.py:make"
    if library:
        with foreign(f"no input can be made for {type(model).__name__}:", f"; {how}"):
            return usual_inputs(model, library, device, batch or 1, length, dtype)
    raise UsageError(f"the model needs an input; {how}")


def tensor_of(
    text: str, device: str, batch: int | None = None, default: torch.dtype | None = None
) -> torch.Tensor:
    """A tensor of a shape that is written ``1,3,224,224`` or ``1,128:int64``; an x is a comma.

    Its values are random for floating dtypes, and zeros for others.

    Args:
        text: the shape.
        device: where it lies.
        batch: its first size instead of the one that is written.
        default: its dtype if none is written; float32 if None.

    Raises:
        UsageError: `text` is not a shape, there is no such dtype, or the tensor cannot be made.
    """
    sizes, _, name = text.partition(":")
    dtype = getattr(torch, name, None) if name else default or torch.float32
    if not isinstance(dtype, torch.dtype):
        raise UsageError(
            f"--input {text}: torch has no dtype {name!r}; "
            "give one such as float32, float16, bfloat16, int64 or bool"
        )
    try:
        listed = sizes.replace("x", ",").removesuffix(",")
        shape = [int(size) for size in listed.split(",")] if sizes.strip() else []
    except ValueError:
        shape = [-1]
    if any(size < 0 for size in shape):
        raise UsageError(
            f"--input {text}: {sizes!r} is no shape; "
            "give sizes with commas, 1,3,224,224, or 1x3x224x224, and a dtype after a colon"
        )
    if batch is not None:
        shape[:1] = [batch]
    free = memory.free()
    if (
        torch.device(device).type == "cpu"
        and free is not None
        and prod(shape) * dtype.itemsize > free
    ):
        raise UsageError(
            f"--input {text}: this takes more memory than the {free:,} bytes that are free; "
            "--device meta takes none"
        )
    with (
        foreign(f"--input {text}: torch makes no such tensor on {device}:"),
        warnings.catch_warnings(),
    ):
        # torch warns of dtypes that are new or deprecated; here it matters only that they work.
        warnings.simplefilter("ignore")
        if dtype.is_floating_point or dtype.is_complex:
            return torch.rand(shape, device=device).to(dtype)
        return torch.zeros(shape, dtype=dtype, device=device)


def written(inputs: Inputs) -> str:
    """Inputs as the command line takes them: ``1,3,224,224``.

    Named ones have their names before them: ``tokens=2,5:int64 scale=1``.
    """
    positional, named = inputs
    return _listed([*((None, value) for value in positional), *named.items()])


def _listed(items: Iterable[tuple[Any, Any]], depth: int = 2) -> str:
    """The first items, each as its name, unless that is None, and its value.

    Lists and dicts among the values are written out to a depth of `depth`.
    """
    first = list(islice(items, _MOST_NAMED + 1))
    shown = [
        ("" if name is None else f"{name}=") + _written(value, depth)
        for name, value in first[:_MOST_NAMED]
    ]
    return " ".join(shown) + (" …" if len(first) > _MOST_NAMED else "")


def _written(value: Any, depth: int) -> str:
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return ",".join(map(str, value.shape)) + ("" if dtype == "float32" else f":{dtype}")
    if depth and type(value) in (list, tuple):
        return f"({_listed(((None, item) for item in value), depth - 1)})"
    if depth and type(value) is dict:
        return f"({_listed(value.items(), depth - 1)})"
    return str(value) if type(value) in (int, float, bool) else type(value).__name__


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: _moved(item, device) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(item, device) for item in value)
    return value


def _arranged(made: Any) -> Inputs:
    if isinstance(made, Mapping):
        return (), {str(key): value for key, value in made.items()}
    return (made if isinstance(made, tuple) else (made,)), {}

"""The shapes of a module call's inputs, which tell one call of a module from another, and of what
it returns.

A hook looks, and does not touch. Inputs may be cyclic, lazy, hostile or huge, so only tensors and
Python's own containers are looked at (a subclass may do anything when it is), to a fixed depth and
number. Tensor subclasses and function modes may override what reading a tensor's shape does; they
are not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch

from dispatchcount.capture.facts import hint
from dispatchcount.capture.torch_private import FunctionsOff
from dispatchcount.capture.tracing import paused

DEPTH = 4
"""Containers within containers that are looked into."""

ITEMS = 256
"""Values that are looked at in all, for one call."""

RESULTS = 16
"""Values that are looked at in all, for what one call returns."""

MORE = "…"
"""Stands for what lies deeper or comes later."""

NESTED = "nested"
"""Stands for the shape of a nested tensor."""

_TENSOR = torch.Tensor


def plain_shapes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `input_shapes` returns, but quickly if all inputs are plain tensors and scalars.

    To be called only where nobody overrides what reading a shape does.
    """
    # Every module call comes here. What is neither a tensor nor a scalar takes the long way.
    try:
        shapes: list[Any] = []
        for value in args:
            kind = type(value)
            if kind is _TENSOR:
                shapes.append(value.shape)
            elif value is None or kind is bool or kind is int or kind is float or kind is str:
                shapes.append(None)
            else:
                return input_shapes(args, kwargs)
        for name, value in kwargs.items():
            kind = type(value)
            if kind is _TENSOR:
                shapes.append((name, value.shape))
            elif not (value is None or kind is bool or kind is int or kind is float or kind is str):
                return input_shapes(args, kwargs)
    except RuntimeError:  # a nested tensor has no sizes
        return input_shapes(args, kwargs)
    return shapes[0] if len(shapes) == 1 == len(args) else tuple(shapes)


def input_shapes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The input shapes of a call: those by position, then those by name with their names.

    Returns:
        Something hashable: a tuple, or of a lone positional tensor its shape.
    """
    budget = iter(range(ITEMS))
    with FunctionsOff(), paused():
        shapes = [_shapes(value, 0, budget) for value in args]
        for name, value in kwargs.items():
            shape = _shapes(value, 0, budget)
            if shape is not None:
                shapes.append((name, shape))
    return shapes[0] if len(shapes) == 1 == len(args) else tuple(shapes)


def output_shapes(result: Any) -> Any:
    """The shapes in what a call returned: of a tensor its shape, of a tuple or list those in it.

    None where there is none, and for classes of the user's or of a library's own (a model's
    output), which are not looked into.
    """
    with FunctionsOff(), paused():
        shapes = _shapes(result, 0, iter(range(RESULTS)))
    return shapes if _any_shape(shapes) else None


def _any_shape(shapes: Any) -> bool:
    """True if there is a shape among them."""
    if isinstance(shapes, torch.Size):
        return True
    if isinstance(shapes, tuple):
        return any(map(_any_shape, shapes))
    return bool(shapes == NESTED)


def _shapes(value: Any, depth: int, budget: Iterator[int]) -> Any:
    """The shapes within one value: a shape, None for what has none, a tuple for a container.

    Args:
        value: an input, or something inside one.
        depth: the containers that it lies in.
        budget: yields once for each value that may still be looked at.
    """
    kind = type(value)
    if issubclass(kind, _TENSOR):
        return _shape(value)
    if kind is not list and kind is not tuple and kind is not dict:
        return None
    if depth == DEPTH:
        return MORE
    # Take as much off the budget as this container has items, or as the budget has left.
    left = sum(1 for _ in zip(range(len(value)), budget, strict=False))
    items = value.items() if kind is dict else enumerate(value)
    found = []
    for name, item in islice(items, left):
        shape = _shapes(item, depth + 1, budget)
        # A key of the user's own class is left out: its metaclass may do anything when the key is
        # hashed.
        found.append(
            (name if type(name) is str or type(name) is int else MORE, shape)
            if kind is dict
            else shape
        )
    return tuple([*found, MORE] if left < len(value) else found)


def _shape(tensor: torch.Tensor) -> Any:
    """A tensor's shape; `NESTED` for a nested one, `MORE` where asking for it raises."""
    try:
        if tensor.is_nested:
            return NESTED
        return torch.Size(map(hint, tensor.shape))
    except Exception:  # a subclass's own code may answer, and a shape is not worth the user's run
        return MORE

"""Numbers that a model itself is made of: its image sizes, as it names them, and its widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

NAMES = ("image_size", "img_size", "input_size")
"""Attributes of modules and of their configurations that hold such a size."""

LARGEST = 10_000
"""Numbers beyond it are no sides of images."""


def image_sizes(model: Any) -> set[int]:
    """Sides of images that modules of `model`, or their configurations, have under one of `NAMES`.

    A vision transformer leaves the resampling of its positions out at exactly this size, so a law
    must be tried there.
    """
    found: set[int] = set()
    for root in _roots(model):
        if isinstance(root, nn.Module):
            for module in root.modules():
                for holder in (
                    module.__dict__,
                    getattr(module.__dict__.get("config"), "__dict__", {}),
                ):
                    for name in NAMES:
                        found |= _sides(holder.get(name))
    return found


def _sides(value: Any) -> set[int]:
    values = value if isinstance(value, tuple | list) else [value]
    return {side for side in values if type(side) is int and 1 < side <= LARGEST}


def widths(model: Any) -> set[int]:
    """Sides of the parameters of `model`. A size that is one of them may be taken for it."""
    return {
        side
        for root in _roots(model)
        if isinstance(root, nn.Module)
        for parameter in root.parameters()
        for side in parameter.shape
    }


def _roots(model: Any) -> list[Any]:
    """The model, or the several that were given by name."""
    several = isinstance(model, Mapping) and not isinstance(model, nn.Module)
    return list(model.values()) if several else [model]

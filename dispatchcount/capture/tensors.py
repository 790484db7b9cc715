"""The tensors among the arguments and results of a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

_TENSOR = torch.Tensor


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor inside a (nested) argument list or result."""
    if isinstance(value, _TENSOR):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)

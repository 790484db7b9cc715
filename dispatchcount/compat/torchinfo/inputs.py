"""The inputs that `summary` runs a model on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._modules import named_parameters
from dispatchcount.compat.torchinfo.layer_info import LayerInfo

Inputs = tuple[tuple[Any, ...], dict[str, Any], Any]
"""Inputs by position, by name, and their sizes."""


def of_sizes(
    model: nn.Module,
    input_size: Any,
    batch_dim: int | None,
    dtypes: Sequence[torch.dtype] | None,
    device: torch.device | None,
) -> Inputs:
    """Random inputs of the sizes given.

    Raises:
        TypeError: `input_size` is not a list or tuple.
        ValueError: it is empty, or a size is not above 0.
    """
    if not isinstance(input_size, list | tuple):
        raise TypeError(
            f"input_size is {input_size!r}; give a tuple of sizes with the batch's, "
            "(1, 3, 224, 224), or a list of such for several inputs"
        )
    several = bool(input_size) and all(isinstance(one, list | tuple) for one in input_size)
    sizes = [tuple(one) for one in input_size] if several else [tuple(input_size)]
    if not input_size or any(size <= 0 for one in sizes for size in one):
        raise ValueError(f"input_size is {input_size!r}; every size must be above 0")
    kinds = dtypes or [torch.float32] * len(sizes)
    if len(kinds) != len(sizes):
        raise ValueError(
            f"there are {len(sizes)} inputs and {len(kinds)} dtypes; give one for each"
        )
    if device is None:
        first = next(iter(named_parameters(model).values()), None)
        device = torch.device("cpu") if first is None else first.device
    with untouched(model):
        tensors = [
            torch.rand(one, device=device).type(kind)
            for one, kind in zip(sizes, kinds, strict=True)
        ]
    if batch_dim is not None:
        tensors = [tensor.unsqueeze(batch_dim) for tensor in tensors]
    return tuple(tensors), {}, [torch.Size(one) for one in sizes]


def of_data(data: Any, device: torch.device | None) -> Inputs:
    """The user's own inputs: one, a list or tuple of them, or a dict of named ones."""
    if device is not None:
        data = moved(data, device)
    sizes = pytree.tree_map(lambda item: getattr(item, "shape", item), data)
    if isinstance(data, Mapping):
        return (), {str(name): value for name, value in data.items()}, sizes
    if isinstance(data, list | tuple):
        return tuple(data), {}, sizes
    return (() if data is None else (data,)), {}, sizes


def moved(data: Any, device: torch.device) -> Any:
    """Nested inputs with their tensors on a device."""
    return pytree.tree_map(
        lambda item: item.to(device) if isinstance(item, torch.Tensor) else item, data
    )


def nbytes(data: Any) -> int:
    """The bytes of all tensors in nested inputs."""
    tensors = (leaf for leaf in pytree.tree_leaves(data) if isinstance(leaf, torch.Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def set_batch_of_one(rows: Sequence[LayerInfo], batch_dim: int) -> None:
    """Show a batch of one in all sizes."""
    for row in rows:
        for size in (row.input_size, row.output_size):
            if batch_dim < len(size):
                size[batch_dim] = 1

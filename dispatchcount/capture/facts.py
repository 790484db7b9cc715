"""What a rule can be told of a tensor, read off the tensor: sizes, dtype, layout, lengths of items.

Nothing here keeps the tensor, or waits for an accelerator but for the lengths of nested ones.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch

from dispatchcount.capture.torch_private import FakeTensor

_STRIDED = torch.strided
PLAIN = (torch.Tensor, torch.nn.Parameter)
"""The classes of tensors whose sizes are plain integers, so that they are taken as they are."""


class Facts(NamedTuple):
    """The part of a tensor of which sizes alone do not say enough; the fields are `Shape`'s."""

    sizes: tuple[int, ...]
    dtype: torch.dtype
    layout: str = "strided"
    stored: int | None = None
    lengths: tuple[tuple[int, ...], ...] = ()


def facts_of(tensor: torch.Tensor) -> Facts:
    """What a rule can be told of a tensor."""
    dtype, layout = tensor.dtype, tensor.layout
    if layout is _STRIDED:
        if tensor.is_nested:
            return _nested(tensor, dtype)
        sizes = tensor.shape if type(tensor) in PLAIN else tuple(map(_size, tensor.shape))
        # This is `Facts(sizes, dtype)` without the Python function that a named tuple is made by.
        return tuple.__new__(Facts, (sizes, dtype, "strided", None, ()))
    if layout is torch.jagged:
        return _nested(tensor, dtype)
    name = str(layout).removeprefix("torch.")
    return Facts(tuple(map(_size, tensor.shape)), dtype, name, _stored(tensor))


def hint(size: Any, unknown: int = 0) -> int:
    """A size as a plain int.

    Of a symbolic size that is its hint, read without a guard. It is `unknown` if the size depends
    on data.
    """
    if isinstance(size, int):
        return size
    node = getattr(size, "node", None)
    value = getattr(node, "hint", None)
    return int(value) if isinstance(value, int) else unknown


def _size(size: Any) -> int:
    return hint(size, unknown=-1)


def _stored(tensor: torch.Tensor) -> int:
    """Elements a sparse tensor stores: of a blocked layout, blocks times the size of a block."""
    if tensor.is_mkldnn:
        return int(tensor.numel())
    values: Any = tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()
    return int(values.numel())


def _nested(tensor: torch.Tensor, dtype: torch.dtype) -> Facts:
    """The facts of a nested tensor: the real sizes of each item.

    Of a jagged tensor whose offsets have no values (a fake one) they are the sizes it shows.
    """
    if tensor.layout is _STRIDED:
        lengths = tuple(tuple(item) for item in tensor._nested_tensor_size().tolist())
    else:
        values, offsets, sizes = tensor.values(), tensor.offsets(), tensor.lengths()
        if isinstance(offsets, FakeTensor) or offsets.is_meta or tensor._ragged_idx != 1:
            return Facts(tuple(map(_size, tensor.shape)), dtype, "nested", hint(values.numel()))
        # A jagged tensor with holes says how much of the room between its offsets each item takes.
        rows = (
            [stop - start for start, stop in pairwise(offsets.tolist())]
            if sizes is None
            else sizes.tolist()
        )
        lengths = tuple((row, *map(hint, values.shape[1:])) for row in rows)
    widest = [max(sizes) for sizes in zip(*lengths, strict=True)] if lengths else []
    return Facts((len(lengths), *widest), dtype, "nested", None, lengths)

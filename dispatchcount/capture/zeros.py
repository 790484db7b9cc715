"""How many elements of a tensor are not zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dispatchcount.capture.held import entries_of, guarded
from dispatchcount.capture.torch_private import (
    DispatchOff,
    FakeTensor,
    FunctionsOff,
    is_traceable_wrapper_subclass,
)

_HALVED = "SparseSemiStructuredTensor"
"""The class of a weight of which two in four elements are stored."""


def nonzeros(tensor: Tensor) -> int | None:
    """The elements that are not zero; of a quantized tensor those that do not stand for zero.

    A semi-structured weight has half of its elements, whatever these are. Stored zeros of a sparse
    tensor are zeros.

    Returns:
        None if the elements cannot be read: there are none (meta and fake tensors, a parameter that
        was not initialized yet or whose memory was freed), or they are inside another kind of
        object.
    """
    if any(kind.__name__ == _HALVED for kind in type(tensor).__mro__):
        return int(tensor.numel()) // 2
    if tensor.is_meta or isinstance(tensor, FakeTensor) or is_traceable_wrapper_subclass(tensor):
        return None
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
        return None  # Nothing runs while a graph is captured, and reading would spoil the graph.
    if tensor.layout is torch.strided and not tensor.is_quantized and not _has_memory(tensor):
        return None
    count: Callable[[], int] = lambda: _counted(tensor)  # noqa: E731
    with DispatchOff(), FunctionsOff(), torch.no_grad():
        return guarded(count, None)


def extent(sizes: Sequence[int], strides: Sequence[int], offset: int, dtype: torch.dtype) -> int:
    """The bytes of a storage in which a tensor lies, from the storage's begin; 0 if it is empty."""
    if 0 in sizes:
        return 0
    last = sum(stride * (size - 1) for size, stride in zip(sizes, strides, strict=True))
    return (offset + last + 1) * int(dtype.itemsize)


def effective(module: nn.Module, key: str, parameter: Tensor) -> int | None:
    """`nonzeros` of a parameter under its mask, if ``torch.nn.utils.prune`` has given it one.

    That is where ``weight_orig`` has a buffer ``weight_mask`` beside it.
    """
    stem = key.removesuffix("_orig")
    masks = dict(entries_of(module, "_buffers"))
    mask = masks.get(f"{stem}_mask") if stem != key else None
    if not isinstance(mask, Tensor) or mask.shape != parameter.shape:
        return nonzeros(parameter)
    with DispatchOff(), FunctionsOff(), torch.no_grad():
        masked: Any = guarded(lambda: parameter.detach() * mask, None)
    return None if masked is None else nonzeros(masked)


def _counted(tensor: Tensor) -> int:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is torch.sparse_coo:
        tensor = tensor.coalesce().values()
    elif tensor.layout is not torch.strided:
        tensor = tensor.values()
    return int(torch.count_nonzero(tensor.detach()))


def _has_memory(tensor: Tensor) -> bool:
    """True if its elements are there; sharded training frees a storage and keeps the tensor."""
    try:
        needs = extent(tensor.shape, tensor.stride(), int(tensor.storage_offset()), tensor.dtype)
        return int(tensor.untyped_storage().nbytes()) >= needs
    except (NotImplementedError, RuntimeError):  # it has no storage
        return False

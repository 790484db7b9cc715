"""What tells two calls of an operator apart (a hashable key), and what a rule sees of a call (`Shape`s)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from dispatchcount.rules.cost import Shape

_TENSOR = torch.Tensor
_PLAIN = {torch.Tensor: True, torch.nn.Parameter: True}


def key_of(args: Any, scalars: bool, *start: Any) -> tuple[Any, ...]:
    """A hashable that is equal for calls alike: shapes and dtypes of tensors, and ints, bools, strings and dtypes if `scalars`.

    Floats never matter to a count, so only their type is kept; without `scalars` that goes for ints and bools too, which keeps
    an operator called with an ever-changing number one record. What `start` gives comes first.

    Raises:
        RuntimeError: a tensor has no plain sizes (strided nested tensors). TypeError: a size is symbolic.
    """
    parts = [*start]
    for arg in args:
        kind = type(arg)
        if kind in _PLAIN:
            parts.append(arg.shape)
            parts.append(arg.dtype)
        elif kind is list or kind is tuple:
            parts.append(tuple(arg) if arg and type(arg[0]) is int else key_of(arg, scalars))
        elif isinstance(arg, _TENSOR):
            parts.append(tensor_key(arg))
        elif kind is torch.ScriptObject:
            parts.append(packed_shapes(arg))
        elif scalars and kind is not float:
            parts.append(arg if kind in _HASHED else kind)
        else:
            parts.append(kind)
    return tuple(parts)


_HASHED = {int, bool, str, type(None), torch.dtype}


def tensor_key(tensor: torch.Tensor) -> Any:
    """The key of a tensor that may be sparse, nested or of a subclass."""
    shape = describe(tensor)
    return (tuple(shape), shape.dtype, shape.layout, shape.nnz, shape.lengths)


def describe(value: Any) -> Any:
    """What a rule sees of an argument or result: tensors as `Shape`s, packed quantized weights as the shapes they hold.

    Scalars stay as they are except floats, which become None; anything else is None.
    """
    if isinstance(value, _TENSOR):
        return shape_of(value)
    if isinstance(value, list | tuple):
        return tuple(describe(item) for item in value)
    if isinstance(value, dict):
        return {str(name): describe(item) for name, item in value.items()}
    if isinstance(value, torch.SymInt):
        return hint(value)
    if value is None or isinstance(value, int | str | complex):
        return value
    if type(value) is torch.ScriptObject:
        return packed_shapes(value)
    return None


def shape_of(tensor: torch.Tensor) -> Shape:
    """A tensor's `Shape`."""
    dtype = _dtype_name(tensor.dtype)
    layout = tensor.layout
    if layout is torch.strided:
        if tensor.is_nested:
            return _nested(tensor, dtype)
        sizes = tensor.shape
        return Shape(sizes if type(tensor) in _PLAIN else map(hint, sizes), dtype)
    name = str(layout).removeprefix("torch.")
    if layout is torch.jagged:
        return _nested(tensor, dtype)
    return Shape(map(hint, tensor.shape), dtype, name, _stored(tensor))


@cache
def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def hint(size: Any) -> int:
    """A size as a plain int: a symbolic one's hint, without guarding on it; 0 where it has none (data-dependent sizes)."""
    if isinstance(size, int):
        return size
    node = getattr(size, "node", None)
    value = getattr(node, "hint", None)
    return int(value) if isinstance(value, int) else 0


def _stored(tensor: torch.Tensor) -> int:
    """Elements a sparse tensor stores."""
    if tensor.is_mkldnn:
        return int(tensor.numel())
    values: Any = tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()
    return int(values.numel())


def _nested(tensor: torch.Tensor, dtype: str) -> Shape:
    """The real sizes of each item; of a jagged tensor whose offsets have no values (fake ones), the sizes it shows."""
    if tensor.layout is torch.strided:
        lengths = tuple(tuple(item) for item in tensor._nested_tensor_size().tolist())
    else:
        values, offsets = tensor.values(), tensor.offsets()
        if isinstance(offsets, FakeTensor) or offsets.is_meta or tensor._ragged_idx != 1:
            return Shape(map(hint, tensor.shape), dtype, "nested", values.numel())
        bounds = offsets.tolist()
        lengths = tuple((stop - start, *values.shape[1:]) for start, stop in pairwise(bounds))
    widest = [max(sizes) for sizes in zip(*lengths, strict=True)] if lengths else []
    return Shape([len(lengths), *widest], dtype, "nested", lengths=lengths)


def packed_shapes(value: torch.ScriptObject) -> Any:
    """The shapes that a torchbind object with packed weights holds; None for any other object.

    Unpacking copies the weights, so the shapes are remembered, by the object's address, until `forget_packed`. The object is kept
    as long, or its address could become another's.
    """
    address = hash(value)
    if address not in _PACKED:
        try:
            _PACKED[address] = value, describe(value.unpack())
        except (RuntimeError, AttributeError):
            _PACKED[address] = value, None
    return _PACKED[address][1]


_PACKED: dict[int, tuple[torch.ScriptObject, Any]] = {}


def forget_packed() -> None:
    """Let go of the packed objects that a block met."""
    _PACKED.clear()


def contents(value: Any) -> Any:
    """The integers a small index tensor holds, as a tuple, where it holds any; else its `Shape`.

    Reading them waits for an accelerator; only operators over packed sequences ask for it.
    """
    if not isinstance(value, _TENSOR) or value.is_meta or isinstance(value, FakeTensor) or value.dtype not in _INTEGERS:
        return describe(value)
    return tuple(value.flatten().tolist())


_INTEGERS = {torch.int32, torch.int64}


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


def fake_modes(value: Any) -> set[Any]:
    """The fake modes of every fake tensor in an argument list, also of those inside wrapper subclasses."""
    modes = set()
    pending = list(tensors_in(value))
    while pending:
        tensor = pending.pop()
        if isinstance(tensor, FakeTensor):
            modes.add(tensor.fake_mode)
        elif is_traceable_wrapper_subclass(tensor):
            names, _ = tensor.__tensor_flatten__()
            pending += [getattr(tensor, name) for name in names]
    return modes

"""Indexing as it is traced.

It is traced as the kernels that it ran, and as the slices that took everything, which run nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from numbers import Integral, Number
from typing import Any

import torch

from dispatchcount.compat._jit.kinds import TO
from dispatchcount.compat._jit.operands import Operands
from dispatchcount.compat._jit.values import Value

_SLICE, _LIFT, _ALIAS = "aten::slice", "aten::lift_fresh", "aten::alias"
_END = 2**63 - 1  # what TorchScript has for a slice without an end


def indexed(tensor: Any, index: Any, kernels: Iterable[Operands]) -> list[Operands]:
    """The operators that ``tensor[index]`` is traced as.

    Torch leaves out a slice that takes the whole dimension, except while it traces.

    Args:
        tensor: what is indexed.
        index: a number, slice, tensor …, or a tuple of such.
        kernels: what ran for it.
    """
    items = index if isinstance(index, tuple) else (index,)
    waiting, traced = deque(kernels), list[Operands]()
    value, dim = Value.of(tensor), 0
    rest = sum(map(_dims, items))
    for item in items:
        if item is Ellipsis:
            dim = max(dim, len(value.sizes or ()) - rest)
            continue
        rest -= _dims(item)
        ran = waiting[0] if waiting else None
        if isinstance(item, slice) and not (ran and ran[0] == _SLICE and ran[1][1].constant == dim):
            traced.append((_SLICE, (value, *map(Value.of, (dim, 0, _END, 1))), (value,)))
        elif ran and isinstance(item, list):  # a list becomes a tensor first
            traced += [waiting.popleft()] if ran[0] == TO else []
        elif ran and (item is None or isinstance(item, slice) or _selects(item)):
            traced.append(waiting.popleft())
            value = ran[2][0]
        dim += 0 if _selects(item) else _dims(item) + (item is None)
    # An index that took everything hands out an alias, unless the slices of a trace did something.
    return [*traced, *(ran for ran in waiting if ran[0] != _ALIAS or not traced)]


def lifted(kernels: Iterable[Operands], assigned: Any = None) -> list[Operands]:
    """The kernels of an indexing as they are traced.

    A list in the index becomes a tensor, which is traced as `to`. An `assigned` number becomes one
    as well, which is not traced.
    """
    skip = isinstance(assigned, Number)
    found: list[Operands] = []
    for kind, inputs, outputs in kernels:
        if kind == _LIFT and skip:
            skip = False
        else:
            found.append((TO if kind == _LIFT else kind, inputs, outputs))
    return found


def _dims(item: Any) -> int:
    """How many dimensions of a tensor an item of an index is for."""
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    mask = isinstance(item, torch.Tensor) and item.dtype in (torch.bool, torch.uint8)
    return item.dim() if mask else 1


def _selects(item: Any) -> bool:
    """True if an item picks one entry of a dimension, which is then gone."""
    if isinstance(item, torch.Tensor):
        return (
            not item.dim()
            and not item.is_floating_point()
            and item.dtype not in (torch.bool, torch.uint8)
        )
    return isinstance(item, Integral | torch.SymInt) and not isinstance(item, bool)

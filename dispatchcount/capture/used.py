"""The parameters that operators were seen to use; `operands.py` says when they are looked at."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import nn

_NONE = {torch.Tensor, int, float, bool, type(None), torch.dtype, torch.device, str}
"""Types of operands that are no parameters. Asking any other takes Python code, for a parameter may be of any class."""


class Used:
    """The parameters that were seen to be used; none is kept alive. Packed weights go by the address of what packs them."""

    def __init__(self) -> None:
        self._tensors: dict[int, weakref.ref[torch.Tensor]] = {}
        self._packed: set[int] = set()

    def add(self, operands: Iterable[Any]) -> None:
        """Note the parameters among an operator's operands."""
        for operand in operands:
            kind = type(operand)
            if kind in _NONE:
                continue
            if kind is list or kind is tuple:
                if operand and type(operand[0]) is not int:  # sizes
                    self.add(operand)
            elif kind is torch.ScriptObject:
                self._packed.add(hash(operand))
            elif id(operand) not in self._tensors and isinstance(operand, nn.Parameter):
                forget = partial(self._tensors.pop, id(operand))
                self._tensors[id(operand)] = weakref.ref(operand, forget)

    def __len__(self) -> int:
        return len(self._tensors) + len(self._packed)

    def __contains__(self, value: Any) -> bool:
        if type(value) is torch.ScriptObject:
            return hash(value) in self._packed
        known = self._tensors.get(id(value))
        return known is not None and known() is value

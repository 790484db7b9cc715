"""Which parameters operators use although the modules that hold them are never called.

A fused encoder layer hands its parameters to one kernel; a model may hand a layer's weight to a
function. A module that is never called then still does its part, and the report must not list it as
unused. So the parameters among the operands of operators that run inside modules are noted. Outside
of modules, a loop over all parameters, such as a penalty or an initialisation, would say nothing of
which are at work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

_NONE = {torch.Tensor, int, float, bool, type(None), torch.dtype, torch.device, str}
"""Types of operands that are not parameters.

A parameter may be of any other class, and asking whether it is runs Python code."""


class Used(set[int]):
    """The parameters that were seen to be used, by id.

    They cannot be noted by weak reference: torch refuses to swap a tensor that something refers to
    weakly. So a parameter that takes the address of one that is gone counts as used as well, and
    its module is not listed as unused.

    Packed weights of quantized modules go by the address of the object that packs them.
    """

    def has(self, value: Any) -> bool:
        """True if a parameter, or a packed weight, was seen to be used."""
        return (hash(value) if type(value) is torch.ScriptObject else id(value)) in self


def note_parameters(operands: Iterable[Any], used: set[int]) -> None:
    """Add the parameters among an operator's operands to `used`."""
    for operand in operands:
        kind = type(operand)
        if kind in _NONE:
            continue
        if kind is list or kind is tuple:
            if operand and type(operand[0]) is not int:  # a list of ints holds sizes
                note_parameters(operand, used)
        elif kind is torch.ScriptObject:
            used.add(hash(operand))
        elif isinstance(operand, nn.Parameter):
            used.add(id(operand))

"""Which parameters operators use in place of the modules that hold them: a fused encoder layer's, a weight handed to a function.

A module that is never called may still do its part, if an operator of a module around it uses its parameters. So the parameters
among the operands of operators that run inside modules are noted. Outside of modules a loop over all of them, such as a penalty
or an initialisation, would say nothing of which are at work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

_NONE = {torch.Tensor, int, float, bool, type(None), torch.dtype, torch.device, str}
"""Types of operands that are no parameters. Asking any other takes Python code, for a parameter may be of any class."""


class Used(set[int]):
    """The parameters that were seen to be used, by id: torch refuses to swap a tensor that something refers to weakly.

    A parameter that takes the address of one that is gone counts as used as well; its module is then not listed as unused.
    Packed weights go by the address of what packs them.
    """

    def has(self, value: Any) -> bool:
        """True if a parameter, or a packed weight, was seen to be used."""
        return (hash(value) if type(value) is torch.ScriptObject else id(value)) in self


def note_parameters(operands: Iterable[Any], used: set[int]) -> None:
    """Note the parameters among an operator's operands."""
    for operand in operands:
        kind = type(operand)
        if kind in _NONE:
            continue
        if kind is list or kind is tuple:
            if operand and type(operand[0]) is not int:  # sizes
                note_parameters(operand, used)
        elif kind is torch.ScriptObject:
            used.add(hash(operand))
        elif isinstance(operand, nn.Parameter):
            used.add(id(operand))

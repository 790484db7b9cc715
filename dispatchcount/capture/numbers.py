"""Gives an operator back the tensors that torch handed to the mode as numbers.

TorchScript computes with sizes as tensors that stand for a number. torch hands those to a mode as Python numbers, and then
refuses the same numbers from the mode: under any mode at all, such a script would raise.
"""

from __future__ import annotations

from typing import Any

import torch

_REFUSED = "Expected a value of type 'Tensor'"


def with_tensors(error: RuntimeError, func: Any, args: Any) -> Any:
    """The arguments of a call, with a tensor for each number where the operator takes a tensor.

    Raises:
        RuntimeError: `error`, which the call raised, if it was not refused for that.
    """
    if (
        type(error) is not RuntimeError
        or _REFUSED not in str(error)
        or not isinstance(func, torch._ops.OpOverload)
    ):
        raise error
    kinds = [str(argument.type) for argument in func._schema.arguments]
    pairs = [
        (arg, kind == "Tensor" and type(arg) in (bool, int, float))
        for arg, kind in zip(args, kinds, strict=False)
    ]
    if not any(number for _, number in pairs):
        raise error
    return tuple(
        [torch.ops.prim.NumToTensor.Scalar(arg) if number else arg for arg, number in pairs]
    )

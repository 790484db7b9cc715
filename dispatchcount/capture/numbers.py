"""Gives an operator back the tensors that torch handed to the mode as numbers.

TorchScript computes with sizes as tensors that stand for a number. torch hands those to a mode as
Python numbers, and then refuses the same numbers from the mode: under any mode at all, such a
script would raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from dispatchcount.capture.torch_private import OpOverload

_REFUSED = "Expected a value of type 'Tensor'"
"""What torch says of a number that it takes for a tensor's place."""


def with_tensors(error: RuntimeError, func: Callable[..., Any], args: Any) -> tuple[Any, ...]:
    """The arguments of a call, with a tensor for each number where the operator takes a tensor.

    Args:
        error: what the call raised.
        func: the operator.
        args: the arguments that the call was made with.

    Raises:
        RuntimeError: `error`, if the call did not raise it for such a number.
    """
    if (
        type(error) is not RuntimeError
        or _REFUSED not in str(error)
        or not isinstance(func, OpOverload)
    ):
        raise error
    # Which arguments are numbers where the schema has a tensor?
    types = [str(argument.type) for argument in func._schema.arguments]
    pairs = [
        (arg, expected == "Tensor" and type(arg) in (bool, int, float))
        for arg, expected in zip(args, types, strict=False)
    ]
    if not any(is_number for _, is_number in pairs):
        raise error
    return tuple(
        [torch.ops.prim.NumToTensor.Scalar(arg) if is_number else arg for arg, is_number in pairs]
    )

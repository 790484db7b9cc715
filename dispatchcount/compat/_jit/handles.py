"""The handles that mmengine and fvcore come with, for use in handles of one's own.

Each takes the inputs and outputs of one operator (`Value`s) and returns a number or a Counter.
The names and formulas are those of the libraries. Where a formula of theirs is wrong for some
operands (a broadcast matrix product), the right one is here.
"""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from math import prod
from typing import Any

from dispatchcount.compat._jit.values import Handle, get_shape

WITH_WEIGHT, WITHOUT_WEIGHT = 5, 4
"""Operations per element of a normalisation that computes its statistics, as fvcore has them."""


def _sizes(value: Any) -> list[int]:
    sizes = get_shape(value)
    if sizes is None:
        raise ValueError(
            f"the handle expects a tensor, it was given {value!r}; check which operand it reads"
        )
    return sizes


def generic_activation_jit(op_name: str | None = None) -> Handle:
    """A handle that counts the elements of the first output, under `op_name` if given."""

    def handle(inputs: list[Any], outputs: list[Any]) -> Any:
        elements = prod(_sizes(outputs[0]))
        return elements if op_name is None else Counter({op_name: elements})

    return handle


def addmm_flop_jit(inputs: list[Any], outputs: list[Any]) -> int:
    """Of ``addmm(bias, (m, k), (k, n))``: m k n."""
    (m, k), (_, n) = _sizes(inputs[1]), _sizes(inputs[2])
    return m * k * n


def linear_flop_jit(inputs: list[Any], outputs: list[Any]) -> int:
    """Of ``linear((…, k), (n, k))``: every row times n."""
    return prod(_sizes(inputs[0])) * prod(_sizes(inputs[1])[:-1])


def bmm_flop_jit(inputs: list[Any], outputs: list[Any]) -> int:
    """Of ``bmm((b, m, k), (b, k, n))``: b m k n."""
    return prod(_sizes(inputs[0])) * _sizes(inputs[1])[-1]


def matmul_flop_jit(inputs: list[Any], outputs: list[Any]) -> int:
    """Of ``matmul``: m k n for each matrix of the broadcast batch.

    A vector is a row on the left and a column on the right.
    """
    left, right = _sizes(inputs[0]), _sizes(inputs[1])
    left = [1, *left] if len(left) == 1 else left
    right = [*right, 1] if len(right) == 1 else right
    batch = (
        max(pair) if 0 not in pair else 0
        for pair in zip_longest(left[-3::-1], right[-3::-1], fillvalue=1)
    )
    return prod(batch) * left[-2] * left[-1] * right[-1]


def conv_flop_count(
    x_shape: list[int], w_shape: list[int], out_shape: list[int], transposed: bool = False
) -> int:
    """Of a convolution: the weight's elements for each item and each place of the output.

    A transposed convolution counts the places of the input instead.
    """
    return x_shape[0] * prod(w_shape) * prod((x_shape if transposed else out_shape)[2:])


def conv_flop_jit(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Of ``_convolution(x, weight, bias, stride, padding, dilation, transposed, …)``.

    It counts under the name ``conv``.
    """
    x, weight, transposed = _sizes(inputs[0]), _sizes(inputs[1]), bool(inputs[6].toIValue())
    return Counter({"conv": conv_flop_count(x, weight, _sizes(outputs[0]), transposed)})


def einsum_flop_jit(inputs: list[Any], outputs: list[Any]) -> int | float:
    """Of ``einsum(equation, operands)``: half of numpy's count for the best order of contraction.

    Raises:
        ImportError: numpy is not installed.
    """
    import numpy as np

    equation = inputs[0].toIValue().replace(" ", "")
    sizes = [_sizes(value) for value in inputs[1].node().inputs()]
    text = np.einsum_path(equation, *map(np.zeros, sizes), optimize="optimal")[1]
    figure = next(line for line in text.split("\n") if "optimized flop" in line.lower())
    return float(figure.split(":")[-1]) // 2


def norm_flop_counter(affine_arg_index: int) -> Handle:
    """A handle for a normalisation whose weight is input `affine_arg_index`.

    It counts 5 per element with a weight, and 4 without.
    """

    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        affine = get_shape(inputs[affine_arg_index]) is not None
        return prod(_sizes(inputs[0])) * (WITH_WEIGHT if affine else WITHOUT_WEIGHT)

    return handle


def batchnorm_flop_jit(inputs: list[Any], outputs: list[Any]) -> Any:
    """Of ``batch_norm``: in training (input 5) as of any normalisation.

    Otherwise it counts 2 per element with a weight, and 1 without.
    """
    if inputs[5].toIValue():
        return norm_flop_counter(1)(inputs, outputs)
    return prod(_sizes(inputs[0])) * (2 if get_shape(inputs[1]) is not None else 1)


def elementwise_flop_counter(input_scale: float = 1, output_scale: float = 0) -> Handle:
    """A handle that counts by elements of the first input and of the first output.

    Args:
        input_scale: what an element of the input counts.
        output_scale: what an element of the output counts.
    """

    def handle(inputs: list[Any], outputs: list[Any]) -> Any:
        total: Any = 0
        if input_scale:
            total += input_scale * prod(_sizes(inputs[0]))
        if output_scale:
            total += output_scale * prod(_sizes(outputs[0]))
        return total

    return handle


__all__ = [
    "Handle",
    "addmm_flop_jit",
    "batchnorm_flop_jit",
    "bmm_flop_jit",
    "conv_flop_count",
    "conv_flop_jit",
    "einsum_flop_jit",
    "elementwise_flop_counter",
    "generic_activation_jit",
    "get_shape",
    "linear_flop_jit",
    "matmul_flop_jit",
    "norm_flop_counter",
]

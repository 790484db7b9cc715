"""Pooling, forward and backward.

A window counts one operation for each of its places, including those in the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES, Rule
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import PerDim, first, times


def adaptive_places(sizes: tuple[int, ...], output: tuple[int, ...]) -> int:
    """Places in all windows of an adaptive pool over `sizes`.

    Window i of o runs from floor(i n / o) to ceil((i + 1) n / o).
    """
    return prod(
        sum(-(-(i + 1) * n // o) - i * n // o for i in range(o))
        for n, o in zip(sizes, output, strict=True)
    )


def _max(dims: int) -> Rule:
    """A comparison per place of a window."""

    def rule(self: Shape, kernel_size: PerDim, *_: Operand, out: Operand, **__: Operand) -> Cost:
        return Cost(arithmetic=times(kernel_size, dims) * first(out))

    return rule


def _average(dims: int) -> Rule:
    """An addition per place of a window, and a division per window."""

    def rule(self: Shape, kernel_size: PerDim, *_: Operand, out: Operand, **__: Operand) -> Cost:
        return Cost(arithmetic=(times(kernel_size, dims) + 1) * first(out))

    return rule


def _adaptive(dims: int, divide: bool, fvcore: bool = False) -> Rule:
    """One operation per place of all windows, and a division per window if it is an average."""

    def rule(self: Shape, *_: Operand, out: Shape | Sequence[Shape], **__: Operand) -> Cost:
        pooled = out if isinstance(out, Shape) else out[0]
        planes = prod(self[:-dims])
        places = planes * adaptive_places(self[-dims:], pooled[-dims:])
        return Cost(arithmetic=places + divide * pooled.numel, fvcore=self.numel if fvcore else 0)

    return rule


RULES.rule("aten::quantized_max_pool1d", "quantized::max_pool1d")(_max(1))
RULES.rule(
    "aten::max_pool2d_with_indices", "aten::mkldnn_max_pool2d", "aten::quantized_max_pool2d",
    "quantized::max_pool2d", "aten::fractional_max_pool2d",
)(_max(2))  # fmt: skip
RULES.rule(
    "aten::max_pool3d_with_indices",
    "aten::mkldnn_max_pool3d",
    "aten::quantized_max_pool3d",
    "aten::fractional_max_pool3d",
)(_max(3))
for _dims in (1, 2, 3):
    RULES.rule(f"aten::avg_pool{_dims}d")(_average(_dims))
for _dims, _names in {
    1: ("aten::adaptive_avg_pool1d",),
    2: (
        "aten::adaptive_avg_pool2d",
        "aten::_adaptive_avg_pool2d",
        "aten::mkldnn_adaptive_avg_pool2d",
    ),
    3: ("aten::adaptive_avg_pool3d", "aten::_adaptive_avg_pool3d"),
}.items():
    RULES.rule(*_names)(_adaptive(_dims, divide=True, fvcore=_dims == 2))
for _dims in (2, 3):
    RULES.rule(f"aten::adaptive_max_pool{_dims}d")(_adaptive(_dims, divide=False))


@RULES.rule(
    "aten::max_pool2d_with_indices_backward", "aten::max_pool3d_with_indices_backward",
    "aten::max_pool2d_backward", "aten::mkldnn_max_pool2d_backward",
    "aten::mkldnn_max_pool3d_backward", "aten::adaptive_max_pool2d_backward",
    "aten::adaptive_max_pool3d_backward", "aten::fractional_max_pool2d_backward",
    "aten::fractional_max_pool3d_backward",
)  # fmt: skip
def max_pool_backward(grad: Shape, *_: Operand, **__: Operand) -> Cost:
    """Adds each gradient to the place that was the maximum."""
    return Cost(arithmetic=grad.numel)


def _average_backward(dims: int) -> Rule:
    """A division per window, and an addition per place of it."""

    def rule(grad: Shape, self: Shape, kernel_size: PerDim, *_: Operand, **__: Operand) -> Cost:
        return Cost(arithmetic=(times(kernel_size, dims) + 1) * grad.numel)

    return rule


def _adaptive_backward(dims: int) -> Rule:
    """An addition per place of all windows, and a division per window."""

    def rule(grad: Shape, self: Shape, *_: Operand, **__: Operand) -> Cost:
        return Cost(
            arithmetic=prod(self[:-dims]) * adaptive_places(self[-dims:], grad[-dims:]) + grad.numel
        )

    return rule


for _dims in (2, 3):
    RULES.rule(f"aten::avg_pool{_dims}d_backward")(_average_backward(_dims))
RULES.rule("aten::_adaptive_avg_pool2d_backward", "aten::mkldnn_adaptive_avg_pool2d_backward")(
    _adaptive_backward(2)
)
RULES.rule("aten::_adaptive_avg_pool3d_backward", "aten::adaptive_avg_pool3d_backward")(
    _adaptive_backward(3)
)


@RULES.move("aten::max_unpool2d", "aten::max_unpool3d")
def max_unpool(self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Puts each element back to its place; the rest is zeros."""
    return Cost()

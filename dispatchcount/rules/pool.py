"""Pooling, forward and backward. A window counts one operation for each of its places, those in the padding included."""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import first, times


def adaptive_places(sizes: tuple[int, ...], output: tuple[int, ...]) -> int:
    """Places in all windows of an adaptive pool over `sizes`: window i of o runs from floor(i n / o) to ceil((i + 1) n / o)."""
    return prod(
        sum(-(-(i + 1) * n // o) - i * n // o for i in range(o))
        for n, o in zip(sizes, output, strict=True)
    )


def _max(dims: int) -> Any:
    def rule(self: Shape, kernel_size: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(arithmetic=times(kernel_size, dims) * first(out))

    return rule


def _average(dims: int) -> Any:
    def rule(self: Shape, kernel_size: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(arithmetic=(times(kernel_size, dims) + 1) * first(out))

    return rule


def _adaptive(dims: int, divide: bool, fvcore: bool = False) -> Any:
    def rule(self: Shape, *_: Any, out: Any, **__: Any) -> Cost:
        pooled = out if isinstance(out, Shape) else out[0]
        planes = prod(self[:-dims])
        places = planes * adaptive_places(self[-dims:], pooled[-dims:])
        return Cost(arithmetic=places + divide * pooled.numel, fvcore=self.numel if fvcore else 0)

    return rule


RULES.rule("aten::quantized_max_pool1d", "quantized::max_pool1d")(_max(1))
RULES.rule(
    "aten::max_pool2d_with_indices", "aten::mkldnn_max_pool2d", "aten::quantized_max_pool2d", "quantized::max_pool2d",
    "aten::fractional_max_pool2d",
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
    "aten::max_pool2d_with_indices_backward", "aten::max_pool3d_with_indices_backward", "aten::max_pool2d_backward",
    "aten::mkldnn_max_pool2d_backward", "aten::mkldnn_max_pool3d_backward", "aten::adaptive_max_pool2d_backward",
    "aten::adaptive_max_pool3d_backward", "aten::fractional_max_pool2d_backward", "aten::fractional_max_pool3d_backward",
)  # fmt: skip
def max_pool_backward(grad: Shape, *_: Any, **__: Any) -> Cost:
    """Each gradient is added to the place that was the maximum."""
    return Cost(arithmetic=grad.numel)


def _average_backward(dims: int) -> Any:
    def rule(grad: Shape, self: Shape, kernel_size: Any, *_: Any, **__: Any) -> Cost:
        return Cost(arithmetic=(times(kernel_size, dims) + 1) * grad.numel)

    return rule


def _adaptive_backward(dims: int) -> Any:
    def rule(grad: Shape, self: Shape, *_: Any, **__: Any) -> Cost:
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
def max_unpool(self: Shape, *_: Any, **__: Any) -> Cost:
    """Puts each element back to its place; the rest is zeros."""
    return Cost()

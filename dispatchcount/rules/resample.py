"""Upsampling and grid sampling.

Arithmetic is per element of the result: interpolation between two values is two products and a sum (3), so bilinear is 3 and
trilinear 7 of them; cubic is four products and three sums (7), over five rows in two dimensions. The weights, shared by all
channels, are not counted for upsampling and are for grid sampling, where every point has its own. `fvcore` has figures for
upsample_nearest2d (1 per element), upsample_bilinear2d (4) and grid sampling (4), forward only.
"""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape

LINEAR = {1: 3, 2: 9, 3: 21}
CUBIC = 35
CUBIC_WEIGHTS = 25
"""Per axis: three neighbouring distances, two polynomials of 5 and two of 6 operations."""

_UPSAMPLING = {  # name: (arithmetic, fvcore) per element of the result
    "upsample_nearest1d": (0, 0),
    "upsample_nearest2d": (0, 1),
    "upsample_nearest3d": (0, 0),
    "_upsample_nearest_exact1d": (0, 0),
    "_upsample_nearest_exact2d": (0, 0),
    "_upsample_nearest_exact3d": (0, 0),
    "upsample_linear1d": (LINEAR[1], 0),
    "upsample_bilinear2d": (LINEAR[2], 4),
    "upsample_trilinear3d": (LINEAR[3], 0),
    "upsample_bicubic2d": (CUBIC, 0),
}
_ANTIALIASED = {
    "_upsample_bilinear2d_aa": 2,
    "_upsample_bicubic2d_aa": 4,
    "_upsample_lanczos2d_aa": 6,
}  # taps when enlarging


def _upsample(arithmetic: int, fvcore: int) -> Any:
    def rule(*_: Any, out: Shape, **__: Any) -> Cost:
        return Cost(arithmetic=arithmetic * out.numel, fvcore=fvcore * out.numel)

    return rule


def _upsample_backward(arithmetic: int) -> Any:
    def rule(grad: Shape, *_: Any, **__: Any) -> Cost:
        return Cost(arithmetic=arithmetic * grad.numel)

    return rule


for _name, (_arithmetic, _fvcore) in _UPSAMPLING.items():
    RULES.rule(f"aten::{_name}")(_upsample(_arithmetic, _fvcore))
    # A product and a sum for each value that took part, at least the sum.
    RULES.rule(f"aten::{_name}_backward")(_upsample_backward(max(_arithmetic, 1)))


def taps(size: int, output: int, support: int) -> int:
    """Weights that an antialiased resize along one axis uses for all `output` places together, clipped at the borders."""
    scale = max(size / output, 1.0)
    reach = support / 2 * scale
    total = 0
    for i in range(output):
        centre = (i + 0.5) * size / output
        total += min(int(centre + reach + 0.5), size) - max(int(centre - reach + 0.5), 0)
    return total


def antialiased(planes: int, small: tuple[int, ...], large: tuple[int, ...], support: int) -> Cost:
    """Two passes, columns then rows, with a product and a sum per tap. An estimate: a given scale may differ from the sizes'."""
    (h, w), (oh, ow) = small, large
    return Cost(
        arithmetic=2 * planes * (h * taps(w, ow, support) + ow * taps(h, oh, support)),
        estimate=True,
    )


def _antialiased(support: int, backward: bool) -> Any:
    def rule(self: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
        source, result = (out, self) if backward else (self, out)
        return antialiased(prod(self[:-2]), source[-2:], result[-2:], support)

    return rule


for _name, _support in _ANTIALIASED.items():
    RULES.rule(f"aten::{_name}")(_antialiased(_support, backward=False))
    RULES.rule(f"aten::{_name}_backward")(_antialiased(_support, backward=True))

_MODES = ("bilinear", "nearest", "bicubic")


def grid_sample(input: Shape, grid: Shape, mode: int) -> Cost:
    """Per point: the coordinates (4 per axis), their weights; per channel of a point: the interpolation.

    Linear weights are two distances per axis and the products of them; nearest is a rounding per axis.
    """
    axes = grid[-1]
    points = grid.numel // max(axes, 1)
    values = points * input[1]
    kind = _MODES[mode]
    if kind == "nearest":
        point, value = axes, 0
    elif kind == "bicubic":
        point, value = CUBIC_WEIGHTS * axes, CUBIC
    else:
        corners = 2**axes
        point, value = 2 * axes + corners * (axes - 1), 2 * corners - 1
    return Cost(arithmetic=points * (4 * axes + point) + values * value, fvcore=4 * values)


@RULES.rule(
    "aten::grid_sampler",
    "aten::grid_sampler_2d",
    "aten::grid_sampler_3d",
    "aten::_grid_sampler_2d_cpu_fallback",
)
def grid_sampler(input: Shape, grid: Shape, mode: int, *_: Any, **__: Any) -> Cost:
    """Fvcore counts 4 per element of the result in every mode."""
    return grid_sample(input, grid, mode)


@RULES.rule("aten::cudnn_grid_sampler")
def cudnn_grid_sampler(input: Shape, grid: Shape, **_: Any) -> Cost:
    """Bilinear."""
    return grid_sample(input, grid, 0)


def grid_sample_backward(input: Shape, grid: Shape, mode: int, mask: Any) -> Cost:
    """The forward's weights again; per value a product and a sum for each corner, and for the grid that per axis too."""
    axes = grid[-1]
    points = grid.numel // max(axes, 1)
    kind = _MODES[mode]
    corners = {"nearest": 1, "bicubic": 16}.get(kind, 2**axes)
    weights = grid_sample(Shape((input[0], 0, *input[2:])), grid, mode).arithmetic
    to_input = 2 * corners if mask[0] else 0
    to_grid = 2 * corners * axes if mask[1] and kind != "nearest" else 0
    return Cost(arithmetic=weights + points * input[1] * (to_input + to_grid))


@RULES.rule(
    "aten::grid_sampler_2d_backward",
    "aten::grid_sampler_3d_backward",
    "aten::_grid_sampler_2d_cpu_fallback_backward",
)
def grid_sampler_backward(
    grad: Shape,
    input: Shape,
    grid: Shape,
    mode: int,
    padding: int,
    align: bool,
    mask: Any = (True, True),
    **_: Any,
) -> Cost:
    """Gradients as `mask` asks: input, grid."""
    return grid_sample_backward(input, grid, mode, mask)


@RULES.rule("aten::cudnn_grid_sampler_backward")
def cudnn_grid_sampler_backward(input: Shape, grid: Shape, grad: Shape, **_: Any) -> Cost:
    """Bilinear, both gradients."""
    return grid_sample_backward(input, grid, 0, (True, True))


@RULES.rule("aten::affine_grid_generator", "aten::cudnn_affine_grid_generator")
def affine_grid_generator(theta: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """A matrix product of the base grid's homogeneous points with theta transposed: d + 1 MACs per coordinate."""
    return contraction(out.numel * theta[-1], out)


@RULES.rule("aten::cudnn_affine_grid_generator_backward")
def affine_grid_generator_backward(grad: Shape, *_: Any, out: Shape, **__: Any) -> Cost:
    """The product of the gradient with the base grid."""
    return contraction(grad.numel * out[-1], out)

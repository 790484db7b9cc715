"""Upsampling and grid sampling.

Arithmetic is per element of the result. Interpolation between two values is two products and a sum
(3); bilinear takes 3 of them and trilinear 7. Cubic takes four products and three sums (7) per row,
over five rows in two dimensions.

In upsampling all channels share the weights, which are therefore not counted. In grid sampling
every point has its own weights, and they are counted. `fvcore` has figures for upsample_nearest2d
(1 per element), upsample_bilinear2d (4) and grid sampling (4), forward only.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.registry import RULES, Rule
from dispatchcount.rules.core.shape import Operand, Shape

LINEAR = {1: 3, 2: 9, 3: 21}
"""Dimensions: operations of linear interpolation per element of the result."""

CUBIC = 35
"""Operations of bicubic interpolation per element of the result."""

CUBIC_WEIGHTS = 25
"""Operations per axis and point.

They are three neighbouring distances, two polynomials of 5 and two of 6 operations.
"""

_UPSAMPLING = {
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
"""Name: arithmetic and fvcore's figure per element of the result."""

_ANTIALIASED = {
    "_upsample_bilinear2d_aa": 2,
    "_upsample_bicubic2d_aa": 4,
    "_upsample_lanczos2d_aa": 6,
}
"""Name: values along one axis that are interpolated when an image is enlarged."""


def _upsample(arithmetic: int, fvcore: int) -> Rule:
    """The rule of an upsampling that costs so much per element of the result."""

    def rule(*_: Operand, out: Shape, **__: Operand) -> Cost:
        return Cost(arithmetic=arithmetic * out.numel, fvcore=fvcore * out.numel)

    return rule


def _upsample_backward(arithmetic: int) -> Rule:
    """The rule of a gradient that costs so much per element of the result's gradient."""

    def rule(grad: Shape, *_: Operand, **__: Operand) -> Cost:
        return Cost(arithmetic=arithmetic * grad.numel)

    return rule


for _name, (_arithmetic, _fvcore) in _UPSAMPLING.items():
    RULES.rule(f"aten::{_name}")(_upsample(_arithmetic, _fvcore))
    # A product and a sum for each value that took part, at least the sum.
    RULES.rule(f"aten::{_name}_backward")(_upsample_backward(max(_arithmetic, 1)))


def taps(size: int, output: int, support: int) -> int:
    """Weights that an antialiased resize along one axis uses for all `output` places together.

    They are clipped at the borders.
    """
    scale = max(size / output, 1.0)
    reach = support / 2 * scale
    total = 0
    for i in range(output):
        centre = (i + 0.5) * size / output
        total += min(int(centre + reach + 0.5), size) - max(int(centre - reach + 0.5), 0)
    return total


def antialiased(planes: int, small: tuple[int, ...], large: tuple[int, ...], support: int) -> Cost:
    """Two passes, columns then rows, with a product and a sum per tap.

    It is an estimate, because a scale that is given may differ from that of the sizes.
    """
    (h, w), (oh, ow) = small, large
    return Cost(
        arithmetic=2 * planes * (h * taps(w, ow, support) + ow * taps(h, oh, support)),
        estimate=True,
    )


def _antialiased(support: int, backward: bool) -> Rule:
    """The rule of an antialiased resize, or of its gradient."""

    def rule(self: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
        source, result = (out, self) if backward else (self, out)
        return antialiased(prod(self[:-2]), source[-2:], result[-2:], support)

    return rule


for _name, _support in _ANTIALIASED.items():
    RULES.rule(f"aten::{_name}")(_antialiased(_support, backward=False))
    RULES.rule(f"aten::{_name}_backward")(_antialiased(_support, backward=True))

_MODES = ("bilinear", "nearest", "bicubic")


def grid_sample(input: Shape, grid: Shape, mode: int) -> Cost:
    """The interpolation of each channel at each point.

    A point takes its coordinates (4 per axis) and its weights: two distances per axis and the
    products of them for linear weights, a rounding per axis for nearest.
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
def grid_sampler(input: Shape, grid: Shape, mode: int, *_: Operand, **__: Operand) -> Cost:
    """Costs `grid_sample`; fvcore counts 4 per element of the result in every mode."""
    return grid_sample(input, grid, mode)


@RULES.rule("aten::cudnn_grid_sampler")
def cudnn_grid_sampler(input: Shape, grid: Shape, **_: Operand) -> Cost:
    """Costs a bilinear `grid_sample`."""
    return grid_sample(input, grid, 0)


def grid_sample_backward(input: Shape, grid: Shape, mode: int, mask: Sequence[bool]) -> Cost:
    """The gradients that `mask` asks for: of input and grid.

    They take the forward's weights again, and for each value a product and a sum per corner. The
    gradient of the grid takes those for each axis.
    """
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
    mask: Sequence[bool] = (True, True),
    **_: Operand,
) -> Cost:
    """Costs `grid_sample_backward`."""
    return grid_sample_backward(input, grid, mode, mask)


@RULES.rule("aten::cudnn_grid_sampler_backward")
def cudnn_grid_sampler_backward(input: Shape, grid: Shape, grad: Shape, **_: Operand) -> Cost:
    """Costs a bilinear `grid_sample_backward`, with both gradients."""
    return grid_sample_backward(input, grid, 0, (True, True))


@RULES.rule("aten::affine_grid_generator", "aten::cudnn_affine_grid_generator")
def affine_grid_generator(theta: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Multiplies the base grid's homogeneous points with theta transposed.

    That takes d + 1 MACs per coordinate.
    """
    return contraction(out.numel * theta[-1], out)


@RULES.rule("aten::cudnn_affine_grid_generator_backward")
def affine_grid_generator_backward(grad: Shape, *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Multiplies the gradient with the base grid."""
    return contraction(grad.numel * out[-1], out)

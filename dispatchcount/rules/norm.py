"""Normalizations, forward. Each has two counts side by side.

`fvcore` is fvcore's formula. If statistics are computed (batch norm in training, layer, group and
instance norm), it is 5 per element with a weight and 4 without. Batch norm with running statistics
has 2 and 1, RMS norm 0.

Arithmetic is what the mathematics asks. Per element that is the mean (1), the squared distance (3),
the normalization (2), and 1 each for weight and bias. Per row of statistics it is two divisions, an
addition of eps and a root.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes
from dispatchcount.rules.core.sizes import count_given

STATISTICS = 4
"""Operations per element for mean and squared distance: add; subtract, square, add."""

NORMALISE = 2
"""Operations per element: subtract the mean, multiply by the reciprocal deviation."""


def statistics(n: int, rows: int) -> Cost:
    """Mean and reciprocal deviation of `rows` rows that hold `n` elements together."""
    return Cost(arithmetic=STATISTICS * n + 3 * rows, transcendentals=rows)


def normalisation(n: int, rows: int, weight: Operand, bias: Operand) -> Cost:
    """Statistics, normalization and the affine map, with fvcore's figure."""
    apply = Cost(
        arithmetic=(NORMALISE + count_given(weight, bias)) * n,
        fvcore=(5 if weight is not None else 4) * n,
    )
    return statistics(n, rows) + apply


def batch_norm(input: Shape, weight: Operand, bias: Operand, training: bool) -> Cost:
    """A normalization over every dimension but the second.

    With running statistics only eps, the root and the map are left to do.
    """
    n, channels = input.numel, input[1] if len(input) > 1 else 1
    if training:
        return normalisation(n, channels, weight, bias)
    return Cost(
        arithmetic=(NORMALISE + count_given(weight, bias)) * n + channels,
        transcendentals=channels,
        fvcore=(2 if weight is not None else 1) * n,
    )


@RULES.rule(
    "aten::native_batch_norm", "aten::_native_batch_norm_legit",
    "aten::_native_batch_norm_legit_functional", "aten::cudnn_batch_norm",
    "aten::miopen_batch_norm", "aten::batch_norm",
)  # fmt: skip
def native_batch_norm(
    input: Shape,
    weight: Operand,
    bias: Operand,
    running_mean: Operand,
    running_var: Operand,
    training: bool,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Costs `batch_norm`; an argument says if it trains.

    A batch norm without running statistics trains in eval mode too.
    """
    return batch_norm(input, weight, bias, training)


@RULES.rule(
    "aten::_native_batch_norm_legit.no_stats", "aten::_native_batch_norm_legit.no_stats_out"
)
def batch_norm_no_stats(
    input: Shape, weight: Operand, bias: Operand, training: bool, *_: Operand, **__: Operand
) -> Cost:
    """Costs `batch_norm`.

    Instance norm and batch norm run it if they have no running statistics.
    """
    return batch_norm(input, weight, bias, training)


@RULES.rule("aten::_batch_norm_with_update", "aten::_batch_norm_with_update_functional")
def batch_norm_with_update(
    input: Shape, weight: Operand, bias: Operand, *_: Operand, **__: Operand
) -> Cost:
    """Costs `batch_norm`, always in training."""
    return batch_norm(input, weight, bias, training=True)


@RULES.rule(
    "aten::_batch_norm_no_update", "aten::_native_batch_norm_legit_no_training",
    "aten::quantized_batch_norm", "quantized::batch_norm", "quantized::batch_norm1d",
    "quantized::batch_norm2d", "quantized::batch_norm3d",
)  # fmt: skip
def batch_norm_inference(
    input: Shape, weight: Operand, bias: Operand, *_: Operand, **__: Operand
) -> Cost:
    """Costs `batch_norm`, always with running statistics."""
    return batch_norm(input, weight, bias, training=False)


@RULES.rule(
    "quantized::batch_norm_relu",
    "quantized::batch_norm1d_relu",
    "quantized::batch_norm2d_relu",
    "quantized::batch_norm3d_relu",
)
def batch_norm_relu(
    input: Shape, weight: Operand, bias: Operand, *_: Operand, **__: Operand
) -> Cost:
    """Costs `batch_norm_inference` and a comparison per element."""
    return batch_norm(input, weight, bias, training=False) + Cost(arithmetic=input.numel)


@RULES.rule("onednn::qbatch_norm2d")
def onednn_batch_norm(
    input: Shape,
    scale: Operand,
    zero_point: int,
    weight: Operand,
    bias: Operand,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Costs `batch_norm_inference`.

    Two numbers of the number format stand before the weight.
    """
    return batch_norm(input, weight, bias, training=False)


@RULES.rule("aten::batch_norm_stats", "aten::batch_norm_update_stats")
def batch_norm_stats(input: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes the statistics, which are one part of a synchronized batch norm."""
    return statistics(input.numel, input[1])


@RULES.rule("aten::batch_norm_gather_stats", "aten::batch_norm_gather_stats_with_counts")
def batch_norm_gather_stats(
    input: Shape, mean: Shape, invstd: Shape, *_: Operand, **__: Operand
) -> Cost:
    """Merges the moments of all ranks.

    Each rank and channel takes a variance from its reciprocal root, and Chan's merge of two sets.
    The input is there for its type alone and is not read.
    """
    return Cost(
        arithmetic=11 * mean.numel,
        transcendentals=mean.numel + mean[-1],
        bytes_read=nbytes((mean, invstd)),
    )


@RULES.rule("aten::batch_norm_elemt")
def batch_norm_elemt(
    input: Shape,
    weight: Operand,
    bias: Operand,
    mean: Shape,
    invstd: Shape,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Takes the affine map, which is the other part of a synchronized batch norm.

    It carries fvcore's figure for the whole.
    """
    n = input.numel
    return Cost(
        arithmetic=(NORMALISE + count_given(weight, bias)) * n,
        fvcore=(5 if weight is not None else 4) * n,
    )


@RULES.rule(
    "aten::native_layer_norm",
    "aten::layer_norm",
    "quantized::layer_norm",
    "static_runtime::layer_norm",
)
def layer_norm(
    input: Shape,
    normalized_shape: Sequence[int],
    weight: Operand = None,
    bias: Operand = None,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Has a row of statistics per element outside `normalized_shape`."""
    n = input.numel
    return normalisation(n, n // max(prod(normalized_shape), 1), weight, bias)


@RULES.rule("aten::native_group_norm")
def native_group_norm(
    input: Shape,
    weight: Operand,
    bias: Operand,
    N: int,
    C: int,
    HxW: int,
    group: int,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Has a row of statistics per item and group."""
    return normalisation(input.numel, N * group, weight, bias)


@RULES.rule("quantized::group_norm", "aten::group_norm")
def group_norm(
    input: Shape,
    groups: int,
    weight: Operand = None,
    bias: Operand = None,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Has a row of statistics per item and group."""
    return normalisation(input.numel, input[0] * groups, weight, bias)


@RULES.rule("quantized::instance_norm", "aten::instance_norm")
def instance_norm(input: Shape, weight: Operand, bias: Operand, *_: Operand, **__: Operand) -> Cost:
    """Has a row of statistics per item and channel."""
    return normalisation(input.numel, input[0] * input[1], weight, bias)


@RULES.rule("aten::_fused_rms_norm", "aten::rms_norm")
def rms_norm(
    input: Shape,
    normalized_shape: Sequence[int],
    weight: Operand = None,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Takes square, sum and scale per element, and the weight if there is one.

    A row takes a division, an addition and a root. On a device without the fused kernel its parts
    cost the same: pow, mean, add, rsqrt, mul, mul. fvcore has no formula for it.
    """
    n = input.numel
    rows = n // max(prod(normalized_shape), 1)
    return Cost(arithmetic=(3 + count_given(weight)) * n + 2 * rows, transcendentals=rows)


@RULES.rule("aten::_weight_norm_interface")
def weight_norm(v: Shape, g: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a square, an addition and a product per element, a root and a division per row."""
    return Cost(arithmetic=3 * v.numel + g.numel, transcendentals=g.numel)


@RULES.rule("aten::renorm")
def renorm(self: Shape, p: Operand, dim: int, *_: Operand, **__: Operand) -> Cost:
    """Takes a norm per slice along `dim`, and a product per element.

    The norm is two operations per element and a root per slice.
    """
    rows = self[dim]
    return Cost(arithmetic=3 * self.numel + 2 * rows, transcendentals=rows)

"""Normalisations, forward.

Two counts side by side. `fvcore` is fvcore's formula: 5 per element with a weight and 4 without where statistics are computed
(batch norm in training, layer, group and instance norm), 2 and 1 for batch norm with running statistics, 0 for RMS norm.
Arithmetic is what the mathematics asks: mean (1), squared distance (3), normalisation (2), and 1 each for weight and bias,
per element; per row of statistics two divisions, an addition of eps and a root.
"""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, nbytes
from dispatchcount.rules.core.sizes import given

STATISTICS = 4
NORMALISE = 2


def statistics(n: int, rows: int) -> Cost:
    """Mean and reciprocal deviation of `rows` rows that hold `n` elements together."""
    return Cost(arithmetic=STATISTICS * n + 3 * rows, transcendentals=rows)


def normalisation(n: int, rows: int, weight: Any, bias: Any) -> Cost:
    """Statistics, normalisation and the affine map, with fvcore's figure."""
    apply = Cost(
        arithmetic=(NORMALISE + given(weight, bias)) * n,
        fvcore=(5 if weight is not None else 4) * n,
    )
    return statistics(n, rows) + apply


def batch_norm(input: Shape, weight: Any, bias: Any, training: bool) -> Cost:
    """Over every dimension but the second; with running statistics only eps, the root and the map are left."""
    n, channels = input.numel, input[1] if len(input) > 1 else 1
    if training:
        return normalisation(n, channels, weight, bias)
    return Cost(
        arithmetic=(NORMALISE + given(weight, bias)) * n + channels,
        transcendentals=channels,
        fvcore=(2 if weight is not None else 1) * n,
    )


@RULES.rule(
    "aten::native_batch_norm", "aten::_native_batch_norm_legit", "aten::_native_batch_norm_legit_functional",
    "aten::cudnn_batch_norm", "aten::miopen_batch_norm", "aten::batch_norm",
)  # fmt: skip
def native_batch_norm(
    input: Shape,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    *_: Any,
    **__: Any,
) -> Cost:
    """Training is an argument: a batch norm without running statistics trains in eval mode too."""
    return batch_norm(input, weight, bias, training)


@RULES.rule(
    "aten::_native_batch_norm_legit.no_stats", "aten::_native_batch_norm_legit.no_stats_out"
)
def batch_norm_no_stats(
    input: Shape, weight: Any, bias: Any, training: bool, *_: Any, **__: Any
) -> Cost:
    """Instance norm and batch norm without running statistics."""
    return batch_norm(input, weight, bias, training)


@RULES.rule("aten::_batch_norm_with_update", "aten::_batch_norm_with_update_functional")
def batch_norm_with_update(input: Shape, weight: Any, bias: Any, *_: Any, **__: Any) -> Cost:
    """Always training."""
    return batch_norm(input, weight, bias, training=True)


@RULES.rule(
    "aten::_batch_norm_no_update", "aten::_native_batch_norm_legit_no_training", "aten::quantized_batch_norm",
    "quantized::batch_norm", "quantized::batch_norm1d", "quantized::batch_norm2d", "quantized::batch_norm3d",
)  # fmt: skip
def batch_norm_inference(input: Shape, weight: Any, bias: Any, *_: Any, **__: Any) -> Cost:
    """Always with the running statistics."""
    return batch_norm(input, weight, bias, training=False)


@RULES.rule(
    "quantized::batch_norm_relu",
    "quantized::batch_norm1d_relu",
    "quantized::batch_norm2d_relu",
    "quantized::batch_norm3d_relu",
)
def batch_norm_relu(input: Shape, weight: Any, bias: Any, *_: Any, **__: Any) -> Cost:
    """And a comparison per element."""
    return batch_norm(input, weight, bias, training=False) + Cost(arithmetic=input.numel)


@RULES.rule("onednn::qbatch_norm2d")
def onednn_batch_norm(
    input: Shape, scale: Any, zero_point: int, weight: Any, bias: Any, *_: Any, **__: Any
) -> Cost:
    """Two numbers of the quantisation stand before the weight."""
    return batch_norm(input, weight, bias, training=False)


@RULES.rule("aten::batch_norm_stats", "aten::batch_norm_update_stats")
def batch_norm_stats(input: Shape, *_: Any, **__: Any) -> Cost:
    """The statistics part of a synchronised batch norm."""
    return statistics(input.numel, input[1])


@RULES.rule("aten::batch_norm_gather_stats", "aten::batch_norm_gather_stats_with_counts")
def batch_norm_gather_stats(input: Shape, mean: Shape, invstd: Shape, *_: Any, **__: Any) -> Cost:
    """Merges the moments of each rank: per rank and channel, a variance from its reciprocal root, and Chan's merge of two sets.

    The input is there for its type alone and is not read.
    """
    return Cost(
        arithmetic=11 * mean.numel,
        transcendentals=mean.numel + mean[-1],
        bytes_read=nbytes((mean, invstd)),
    )


@RULES.rule("aten::batch_norm_elemt")
def batch_norm_elemt(
    input: Shape, weight: Any, bias: Any, mean: Shape, invstd: Shape, *_: Any, **__: Any
) -> Cost:
    """The map part of a synchronised batch norm, which carries fvcore's figure for the whole."""
    n = input.numel
    return Cost(
        arithmetic=(NORMALISE + given(weight, bias)) * n,
        fvcore=(5 if weight is not None else 4) * n,
    )


@RULES.rule(
    "aten::native_layer_norm",
    "aten::layer_norm",
    "quantized::layer_norm",
    "static_runtime::layer_norm",
)
def layer_norm(
    input: Shape, normalized_shape: Any, weight: Any = None, bias: Any = None, *_: Any, **__: Any
) -> Cost:
    """A row of statistics per element outside `normalized_shape`."""
    n = input.numel
    return normalisation(n, n // max(prod(normalized_shape), 1), weight, bias)


@RULES.rule("aten::native_group_norm")
def native_group_norm(
    input: Shape, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, *_: Any, **__: Any
) -> Cost:
    """A row of statistics per item and group."""
    return normalisation(input.numel, N * group, weight, bias)


@RULES.rule("quantized::group_norm", "aten::group_norm")
def group_norm(
    input: Shape, groups: int, weight: Any = None, bias: Any = None, *_: Any, **__: Any
) -> Cost:
    """A row of statistics per item and group."""
    return normalisation(input.numel, input[0] * groups, weight, bias)


@RULES.rule("quantized::instance_norm", "aten::instance_norm")
def instance_norm(input: Shape, weight: Any, bias: Any, *_: Any, **__: Any) -> Cost:
    """A row of statistics per item and channel."""
    return normalisation(input.numel, input[0] * input[1], weight, bias)


@RULES.rule("aten::_fused_rms_norm", "aten::rms_norm")
def rms_norm(input: Shape, normalized_shape: Any, weight: Any = None, *_: Any, **__: Any) -> Cost:
    """Square, sum and scale per element, the weight if there is one, and a division, an addition and a root per row.

    The same as its parts on a device without the fused kernel: pow, mean, add, rsqrt, mul, mul. fvcore has no formula for it.
    """
    n = input.numel
    rows = n // max(prod(normalized_shape), 1)
    return Cost(arithmetic=(3 + given(weight)) * n + 2 * rows, transcendentals=rows)


@RULES.rule("aten::_weight_norm_interface")
def weight_norm(v: Shape, g: Shape, *_: Any, **__: Any) -> Cost:
    """Per element a square, an addition and a product; per row a root and a division."""
    return Cost(arithmetic=3 * v.numel + g.numel, transcendentals=g.numel)


@RULES.rule("aten::renorm")
def renorm(self: Shape, p: Any, dim: int, *_: Any, **__: Any) -> Cost:
    """A norm per slice along `dim` (two operations per element, a root per slice) and a product per element."""
    rows = self[dim]
    return Cost(arithmetic=3 * self.numel + 2 * rows, transcendentals=rows)

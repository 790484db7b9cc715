"""Which operators mmengine and fvcore have handles for, and which they take for free."""

from __future__ import annotations

from dispatchcount.compat._jit.handles import (
    addmm_flop_jit,
    batchnorm_flop_jit,
    bmm_flop_jit,
    conv_flop_jit,
    einsum_flop_jit,
    elementwise_flop_counter,
    generic_activation_jit,
    linear_flop_jit,
    matmul_flop_jit,
    norm_flop_counter,
)
from dispatchcount.compat._jit.values import Handle

FLOP_HANDLES: dict[str, Handle] = {
    "aten::addmm": addmm_flop_jit,
    "aten::bmm": bmm_flop_jit,
    "aten::_convolution": conv_flop_jit,
    "aten::einsum": einsum_flop_jit,
    "aten::matmul": matmul_flop_jit,
    "aten::mm": matmul_flop_jit,
    "aten::linear": linear_flop_jit,
    "aten::batch_norm": batchnorm_flop_jit,
    "aten::group_norm": norm_flop_counter(2),
    "aten::layer_norm": norm_flop_counter(2),
    "aten::instance_norm": norm_flop_counter(1),
    "aten::upsample_nearest2d": elementwise_flop_counter(0, 1),
    "aten::upsample_bilinear2d": elementwise_flop_counter(0, 4),
    "aten::adaptive_avg_pool2d": elementwise_flop_counter(1, 0),
    "aten::grid_sampler": elementwise_flop_counter(0, 4),
}

ACTIVATION_HANDLES: dict[str, Handle] = {
    "aten::_convolution": generic_activation_jit("conv"),
    "aten::addmm": generic_activation_jit(),
    "aten::bmm": generic_activation_jit(),
    "aten::einsum": generic_activation_jit(),
    "aten::matmul": generic_activation_jit(),
    "aten::linear": generic_activation_jit(),
}

_FREE = """
    Int ScalarImplicit __and__ arange bitwise_not cat chunk clamp clamp_ constant_pad_nd contiguous
    copy_ detach dropout empty eq expand flatten floor floor_divide full full_like gather ge gt
    index index_put_ masked_fill max narrow new_empty new_full new_zeros nonzero ones permute relu
    relu_ remainder reshape roll select size slice split split_with_sizes squeeze stack t to
    transpose type_as unbind unsqueeze unsqueeze_ view zeros zeros_like
"""
IGNORED = frozenset(f"aten::{name}" for name in _FREE.split())
"""Operators that the libraries count as 0 and do not list as unsupported."""

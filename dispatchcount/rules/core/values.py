"""Operators whose cost depends on the contents of an argument, and not on its shape alone.

Capture hands the arguments that `VALUES` names to the rule as a plain tuple of ints, where their
contents can be read without a copy from a device. Elsewhere (on a device, and for meta and fake
tensors) the rule gets a `Shape`, takes the worst case and marks it as an estimate.
"""

from __future__ import annotations

from typing import TypeAlias

from dispatchcount.rules.core.shape import Shape

VALUES: dict[str, tuple[str, ...]] = {
    "aten::_flash_attention_forward": ("cum_seq_q", "cum_seq_k", "seqused_k"),
    "aten::_flash_attention_forward_no_dropout_inplace": ("cum_seq_q", "cum_seq_k", "seqused_k"),
    "aten::_flash_attention_backward": ("cum_seq_q", "cum_seq_k"),
    "aten::_efficient_attention_forward": ("cu_seqlens_q", "cu_seqlens_k", "seqlen_k"),
    "aten::_efficient_attention_backward": ("cu_seqlens_q", "cu_seqlens_k"),
    "aten::_cudnn_attention_forward": ("cum_seq_q", "cum_seq_k", "seqused_k"),
    "aten::_cudnn_attention_backward": ("cum_seq_q", "cum_seq_k"),
    "torch_attn::_varlen_attn": ("cu_seq_q", "cu_seq_k", "seqused_k"),
    "torch_attn::_varlen_attn_out": ("cu_seq_q", "cu_seq_k", "seqused_k"),
    "torch_attn::_varlen_attn_backward": ("cu_seq_q", "cu_seq_k"),
    "aten::_grouped_mm": ("offs",),
    "aten::_scaled_grouped_mm": ("offs",),
    "aten::_scaled_grouped_mm_v2": ("offs",),
}
"""Operator: names of the integer arguments whose contents its rule reads."""

Contents: TypeAlias = tuple[int, ...] | None
"""An argument that `VALUES` names: a plain tuple, a `Shape` if not known, None if not given."""

_NORMS = (
    "norm",
    "native_norm",
    "linalg_vector_norm",
    "linalg__powsum",
    "dist",
    "_foreach_norm",
    "_foreach_powsum",
)
EXPONENTS = frozenset(f"aten::{name}" for name in ("pow", "_foreach_pow", *_NORMS))
"""Operators whose rule reads a number among the arguments: an exponent.

For all other operators of torch, capture keeps only the type of a float, so that calls with
different numbers share one key. Rules of users are given every number.
"""


def known(argument: Contents) -> tuple[int, ...] | None:
    """The contents of an argument named in `VALUES`.

    None if only its shape is known, or if it was not given.
    """
    return (
        tuple(argument)
        if isinstance(argument, list | tuple) and not isinstance(argument, Shape)
        else None
    )

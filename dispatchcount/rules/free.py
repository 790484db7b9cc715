"""Operators that touch no element, and so cost nothing by definition.

They are views, metadata, memory that is handed out unwritten, checks and marks. Reading one number
back to Python (`_local_scalar_dense`) is among them.
"""

from __future__ import annotations

from dispatchcount.rules.core.names import aten
from dispatchcount.rules.core.registry import RULES

_VIEWS = aten("""
    alias as_strided detach diagonal expand permute select slice slice_inverse split
    split_with_sizes squeeze t transpose unbind unfold unsqueeze view view_as_complex view_as_real
    _unsafe_view _reshape_alias _conj _neg_view _fw_primal _make_dual lift lift_fresh _lazy_clone
    unsafe_split unsafe_split_with_sizes
""")

_METADATA = aten("""
    is_pinned is_same_size is_set_to _has_same_storage_numel q_scale q_zero_point
    q_per_channel_scales q_per_channel_zero_points q_per_channel_axis qscheme _use_cudnn_ctc_loss
    _use_miopen_ctc_loss _fused_sdp_choice record_stream set resize resize_as _resize_output
    shallow_copy_data_
""")

_ALLOCATION = aten("""
    empty empty_like empty_strided empty_permuted empty_quantized new_empty new_empty_strided
    _efficientzerotensor _empty_affine_quantized _empty_per_channel_affine_quantized
""")

_CHECKS = aten("""
    _assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async
    _functional_assert_scalar _local_scalar_dense sym_constrain_range sym_constrain_range_for_size
    _functional_sym_constrain_range _functional_sym_constrain_range_for_size _make_dep_token _print
""")

# What Python asks of tensor subclasses; a mode may see it, but no kernel does.
_QUESTIONS = aten("""
    dim size stride numel storage_offset is_contiguous sym_size sym_stride sym_numel
    sym_storage_offset sym_is_contiguous
""")

RULES.free(
    *_VIEWS,
    *_METADATA,
    *_ALLOCATION,
    *_CHECKS,
    *_QUESTIONS,
    family="free",
)
RULES.free("prim::device", "prim::layout", family="free")

"""Sparse and nested tensors, taken apart and put together.

Products of sparse matrices are in `sparse`.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import aten
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import log2

_COPIES = aten("""
    _to_dense _to_sparse _to_sparse_csr _to_sparse_csc _to_sparse_bsr _to_sparse_bsc sparse_mask
    _sparse_mask_projection _sparse_broadcast_to_copy _sparse_sum_backward indices_copy values_copy
    _indices_copy _values_copy crow_indices_copy col_indices_copy ccol_indices_copy row_indices_copy
    _convert_indices_from_coo_to_csr _convert_indices_from_csr_to_coo
    _validate_compressed_sparse_indices to_padded_tensor _nested_from_padded
    _nested_from_padded_and_nested_example _nested_from_padded_tensor _nested_tensor_from_mask
    _nested_tensor_from_tensor_list _nested_select_backward _nested_view_from_buffer_copy
    _nested_view_from_jagged_copy _nested_get_values_copy _jagged_to_padded_dense_forward
    _padded_dense_to_jagged_forward _nested_tensor_from_mask_left_aligned _nested_sum_backward
""")

_WRAPPED = aten("""
    sparse_coo_tensor sparse_compressed_tensor _sparse_coo_tensor_with_dims
    _sparse_coo_tensor_with_dims_and_tensors _sparse_compressed_tensor_with_dims _coalesced
    is_coalesced dense_dim sparse_dim _dimI _dimV _nnz indices values _indices _values crow_indices
    col_indices ccol_indices row_indices sparse_resize sparse_resize_and_clear resize_as_sparse
    _sparse_broadcast_to _nested_tensor_size _nested_tensor_strides _nested_tensor_storage_offsets
    _nested_compute_contiguous_strides_offsets _nested_view_from_buffer _nested_view_from_jagged
    _nested_get_values _nested_get_offsets _nested_get_lengths _nested_get_ragged_idx
    _nested_get_min_seqlen _nested_get_max_seqlen _nested_get_jagged_dummy
""")


@RULES.move(*_COPIES)
def convert(*_: Operand, **__: Operand) -> Cost:
    """Reads what is stored, and writes what is stored."""
    return Cost()


RULES.free(*_WRAPPED, family="sparse_layout")


@RULES.rule("aten::_coalesce")
def coalesce(self: Shape, **_: Operand) -> Cost:
    """Sorts the indices and adds up the stored elements.

    It is an estimate: how many indices are equal depends on the data.
    """
    n = self.numel
    return Cost(arithmetic=n * log2(n) + n, estimate=True)

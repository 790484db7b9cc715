"""Copies, fills and rearrangements: no arithmetic by definition, but bytes move.

Most read every operand once and write every result once. That is what the caller derives from the
shapes if a rule leaves the bytes open. The exceptions are fills, which read nothing, and copies
into a given tensor, which is not read.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import aten
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, nbytes

_REARRANGEMENTS = aten("""
    clone contiguous _to_copy _pin_memory lift_fresh_copy cat _stack stack _chunk_cat block_diag
    constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
    replication_pad2d replication_pad3d flip roll rot90 repeat tril triu diag_embed pixel_shuffle
    pixel_unshuffle channel_shuffle native_channel_shuffle im2col complex slice_scatter
    select_scatter diagonal_scatter as_strided_scatter slice_backward select_backward
    diagonal_backward split_with_sizes_copy split_copy unbind_copy slice_copy select_copy
    narrow_copy view_copy _reshape_copy _neg_view_copy permute_copy transpose_copy t_copy
    squeeze_copy unsqueeze_copy expand_copy as_strided_copy alias_copy detach_copy diagonal_copy
    unfold_copy view_as_real_copy view_as_complex_copy _conj_copy _reshape_alias_copy
    _fw_primal_copy _make_dual_copy _foreach_clone _copy_from _copy_from_and_resize to_mkldnn
    _mkldnn_reshape _mkldnn_transpose _pack_padded_sequence repeat_interleave _spdiags
""")

_FILLS = aten("""
    fill zero full full_like zeros zeros_like ones ones_like new_full new_zeros new_ones
    scalar_tensor eye arange range linspace logspace tril_indices triu_indices fft_fftfreq
    fft_rfftfreq _new_zeros_with_same_feature_meta _foreach_zero bartlett_window blackman_window
    hamming_window hann_window kaiser_window from_file
""")


def rearrange(*_: Operand, **__: Operand) -> Cost:
    """Reads every operand, and writes every result."""
    return Cost()


def fill(*_: Operand, out: Operand = (), **__: Operand) -> Cost:
    """Writes the result; a tensor that is filled or imitated is not read."""
    return Cost(bytes_read=0, bytes_written=nbytes(out))


RULES.move(*_REARRANGEMENTS)(rearrange)
RULES.move(*_FILLS)(fill)

# These are views otherwise; into a given tensor they copy.
RULES.move(
    "aten::_unsafe_view.out",
    "aten::lift.out",
    "aten::unsafe_split.Tensor_out",
    "aten::unsafe_split_with_sizes.out",
)(rearrange)


@RULES.move("aten::copy", "aten::copy_sparse_to_sparse")
def copy_into(self: Shape, src: Shape, *_: Operand, **__: Operand) -> Cost:
    """Reads the source, and writes the whole destination."""
    return Cost(bytes_read=src.nbytes, bytes_written=self.nbytes)


@RULES.move("aten::_foreach_copy")
def foreach_copy(self: Operand, src: Operand, *_: Operand, **__: Operand) -> Cost:
    """Reads the sources, and writes the destinations."""
    return Cost(bytes_read=nbytes(src))


@RULES.rule(
    "aten::reflection_pad1d_backward", "aten::reflection_pad2d_backward",
    "aten::reflection_pad3d_backward", "aten::replication_pad1d_backward",
    "aten::replication_pad2d_backward", "aten::replication_pad3d_backward",
    "aten::col2im", "aten::unfold_backward",
)  # fmt: skip
def fold_back(grad: Shape, *_: Operand, **__: Operand) -> Cost:
    """Adds each element to the place that it was copied from."""
    return Cost(arithmetic=grad.numel)

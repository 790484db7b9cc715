"""Copies, fills and rearrangements: no arithmetic by definition, but bytes move.

Most read every operand once and write every result once, which is what the caller derives from the shapes when a rule leaves the
bytes open. Those that do not are the fills (nothing is read) and the copies into a given tensor (which is not read).
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, nbytes

_REARRANGEMENTS = words("""
    clone contiguous _to_copy _pin_memory lift_fresh_copy cat _stack stack _chunk_cat block_diag constant_pad_nd
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d flip roll rot90
    repeat tril triu diag_embed pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle im2col complex
    slice_scatter select_scatter
    diagonal_scatter as_strided_scatter slice_backward select_backward diagonal_backward split_with_sizes_copy split_copy
    unbind_copy slice_copy select_copy narrow_copy view_copy _reshape_copy _neg_view_copy permute_copy transpose_copy t_copy
    squeeze_copy unsqueeze_copy expand_copy as_strided_copy alias_copy detach_copy diagonal_copy unfold_copy view_as_real_copy
    view_as_complex_copy _conj_copy _reshape_alias_copy _fw_primal_copy _make_dual_copy _foreach_clone _copy_from
    _copy_from_and_resize to_mkldnn _mkldnn_reshape _mkldnn_transpose _pack_padded_sequence repeat_interleave _spdiags
""")

_FILLS = words("""
    fill zero full full_like zeros zeros_like ones ones_like new_full new_zeros new_ones scalar_tensor eye arange range
    linspace logspace tril_indices triu_indices fft_fftfreq fft_rfftfreq _new_zeros_with_same_feature_meta _foreach_zero
    bartlett_window blackman_window hamming_window hann_window kaiser_window from_file
""")

_COPIES_INTO = words("""
    copy copy_sparse_to_sparse
""")


def rearrange(*_: Any, **__: Any) -> Cost:
    """Reads every operand, writes every result."""
    return Cost()


def fill(*_: Any, out: Any = (), **__: Any) -> Cost:
    """Writes the result; a tensor that is filled or imitated is not read."""
    return Cost(bytes_read=0, bytes_written=nbytes(out))


RULES.move(*(f"aten::{name}" for name in _REARRANGEMENTS))(rearrange)
RULES.move(*(f"aten::{name}" for name in _FILLS))(fill)

# Views into a given tensor: they copy.
RULES.move(
    "aten::_unsafe_view.out",
    "aten::lift.out",
    "aten::unsafe_split.Tensor_out",
    "aten::unsafe_split_with_sizes.out",
)(rearrange)


@RULES.move(*(f"aten::{name}" for name in _COPIES_INTO))
def copy_into(self: Shape, src: Shape, *_: Any, **__: Any) -> Cost:
    """Reads the source, writes as much of the destination as it has."""
    return Cost(bytes_read=src.nbytes, bytes_written=self.nbytes)


@RULES.move("aten::_foreach_copy")
def foreach_copy(self: Any, src: Any, *_: Any, **__: Any) -> Cost:
    """Reads the sources, writes the destinations."""
    return Cost(bytes_read=nbytes(src))


@RULES.rule(
    *(f"aten::{kind}_pad{dims}d_backward" for kind in ("reflection", "replication") for dims in (1, 2, 3)),
    "aten::col2im", "aten::unfold_backward",
)  # fmt: skip
def fold_back(grad: Shape, *_: Any, **__: Any) -> Cost:
    """Adds each element to the place that it was copied from."""
    return Cost(arithmetic=grad.numel)

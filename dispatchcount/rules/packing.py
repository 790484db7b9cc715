"""Weights laid out anew for a kernel. It is done once, when a model is prepared, and is a copy.

Packing into a sparse or quantized form selects or rounds. That belongs to the number format and is
not the model's arithmetic.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import aten, words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, nbytes

_ATEN = aten("""
    _cudnn_rnn_flatten_weight mkldnn_reorder_conv2d_weight mkldnn_reorder_conv3d_weight
    _convert_weight_to_int4pack _convert_weight_to_int4pack_for_cpu _dyn_quant_pack_4bit_weight
    _cslt_compress _to_sparse_semi_structured _sparse_semi_structured_tile
    _sparse_semi_structured_apply _sparse_semi_structured_apply_dense
""")
_ONEDNN = words("""
    mkl::_mkl_reorder_linear_weight mkldnn::_reorder_convolution_weight
    mkldnn::_reorder_convolution_transpose_weight mkldnn::_reorder_linear_weight
    mkldnn::_reorder_mkldnn_rnn_layer_weight onednn::linear_prepack_fp16 onednn::qconv_prepack
    onednn::qlinear_prepack _quantized::_wrapped_linear_prepack
    _quantized::wrapped_fbgemm_pack_gemm_matrix_fp16 _quantized::linear_prepack_fp16_legacy
    _quantized::linear_prepack_legacy quantized::linear_prepack_fp16_legacy
    quantized::linear_prepack_legacy
""")
_PACKED_OBJECTS = words("""
    _quantized::conv2d_prepack _quantized::conv3d_prepack _quantized::conv_transpose1d_prepack
    _quantized::conv_transpose2d_prepack _quantized::conv_transpose3d_prepack
    _quantized::linear_prepack _quantized::linear_prepack_fp16 quantized::conv1d_prepack
    quantized::conv2d_prepack quantized::conv3d_prepack quantized::conv_prepack
    quantized::conv_transpose1d_prepack quantized::conv_transpose2d_prepack
    quantized::conv_transpose3d_prepack quantized::linear_prepack quantized::linear_prepack_fp16
    sparse::qlinear_prepack mkldnn_prepacked::conv2d_prepack
""")


@RULES.move(*_ATEN, *_ONEDNN)
def repack(*_: Operand, **__: Operand) -> Cost:
    """Reads the weights, and writes them again."""
    return Cost()


@RULES.move(*_PACKED_OBJECTS)
def pack(*args: Operand, **_: Operand) -> Cost:
    """Reads the weights, and writes as many bytes: the size of the packed object is not seen."""
    return Cost(bytes_read=nbytes(args), bytes_written=nbytes(args))


@RULES.move("quantized::linear_unpack", "quantized::linear_unpack_fp16")
def unpack(*_: Operand, out: Operand = (), **__: Operand) -> Cost:
    """Reads as many bytes as come out."""
    return Cost(bytes_read=nbytes(out), bytes_written=nbytes(out))


RULES.free(
    "quantized::make_quantized_cell_params",
    "quantized::make_quantized_cell_params_dynamic",
    family="packing",
)

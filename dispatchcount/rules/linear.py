"""Linear layers: ``linear`` and the kernels that hold its weight packed, quantized to a few bits or laid out for one library.

All cost (elements of the input) · (output features); the result's last size says how many those are, so packed weights need not
be read. Unpacking and rescaling the weight is part of the load and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.products import product, rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape


def linear_cost(input: Shape, out: Shape, bias: Any = None) -> Cost:
    """Rows · in · out, and the bias once per element of the result."""
    return contraction(
        input.numel * (out[-1] if out else 1), out, bias=bias is not None, operand=input
    )


@RULES.rule("aten::linear", "aten::mkldnn_linear")
def linear(input: Shape, weight: Shape, bias: Shape | None = None, *, out: Shape) -> Cost:
    """``input @ weight.T``: rows · in · out; rows · stored elements if the weight is sparse."""
    flat = (
        input
        if input.layout.startswith("sparse")
        else Shape((rows(input), weight[-1]), input.dtype)
    )
    turned = Shape(weight[::-1], weight.dtype, weight.layout, weight.nnz)
    macs, estimate = product(flat, turned)
    return contraction(macs, out, bias=bias is not None, operand=input) + Cost(estimate=estimate)


@RULES.rule(
    "aten::_weight_int4pack_mm", "aten::_weight_int4pack_mm_for_cpu", "aten::_weight_int4pack_mm_with_scales_and_zeros",
    "aten::_weight_int8pack_mm", "aten::_dyn_quant_matmul_4bit", "quantized::int4mm_packed_weight_cpu",
)  # fmt: skip
def packed(self: Shape, mat2: Shape, *_: Any, out: Shape) -> Cost:
    """Rows · in · out."""
    return linear_cost(self, out)


@RULES.rule("aten::_mixed_dtypes_linear")
def mixed_dtypes_linear(
    input: Shape,
    weight: Shape,
    scale: Shape,
    *,
    bias: Shape | None = None,
    activation: str | None = None,
    out: Shape,
) -> Cost:
    """An 8 or 4-bit weight, a 16-bit input, then an activation."""
    return linear_cost(input, out, bias) + epilogue(activation, out)


@RULES.rule("onednn::linear_dynamic_fp16", "quantized::linear_dynamic_fp16_unpacked_weight")
def with_bias(x: Shape, w: Shape, bias: Shape | None, *, out: Shape) -> Cost:
    """Rows · in · out."""
    return linear_cost(x, out, bias)


@RULES.rule("onednn::linear_relu_dynamic_fp16")
def relu_fp16(x: Shape, w: Shape, bias: Shape | None, *, out: Shape) -> Cost:
    """Rows · in · out, then ReLU."""
    return linear_cost(x, out, bias) + epilogue("relu", out)


@RULES.rule("mkl::_mkl_linear")
def mkl_linear(X: Shape, MKL_W: Shape, ORI_W: Shape, B: Shape | None, *_: Any, out: Shape) -> Cost:
    """Rows · in · out."""
    return linear_cost(X, out, B)


@RULES.rule("mkldnn::_linear_pointwise")
def onednn_unary(
    X: Shape, W: Shape, B: Shape | None, attr: str, scalars: Any, algorithm: Any, *, out: Shape
) -> Cost:
    """Rows · in · out, then the activation `attr`."""
    return linear_cost(X, out, B) + epilogue(attr, out, algorithm)


@RULES.rule("mkldnn::_linear_pointwise.binary")
def onednn_binary(
    X: Shape, other: Shape, W: Shape, B: Shape | None, attr: str, *, out: Shape
) -> Cost:
    """Rows · in · out, then `attr` (add, sub, mul) with `other`."""
    return linear_cost(X, out, B) + function_cost(attr, out.numel)


@RULES.rule("aten::linear_backward", "aten::mkldnn_linear_backward")
def linear_backward(
    self: Shape, grad_output: Shape, weight: Shape, output_mask: Sequence[bool], **_: Any
) -> Cost:
    """The gradients of input and weight take rows · in · out each, that of the bias an addition per element of `grad_output`."""
    to_input, to_weight, to_bias = map(bool, output_mask)
    macs = rows(grad_output) * weight.numel * (4 if weight.is_complex else 1)
    return Cost(macs=macs * (to_input + to_weight), arithmetic=grad_output.numel * to_bias)


@RULES.rule("aten::mkldnn_linear_backward_input")
def backward_input(input_size: Sequence[int], grad_output: Shape, weight: Shape) -> Cost:
    """Rows · in · out."""
    return Cost(macs=rows(grad_output) * weight.numel)


@RULES.rule("aten::mkldnn_linear_backward_weights")
def backward_weights(grad_output: Shape, input: Shape, weight: Shape, bias_defined: bool) -> Cost:
    """Rows · in · out, and the sum of `grad_output` for the bias."""
    return Cost(
        macs=rows(grad_output) * weight.numel, arithmetic=grad_output.numel * bool(bias_defined)
    )

"""Linear layers: ``linear``, and the kernels that hold its weight packed.

Their weights are quantized to a few bits, or laid out for one library. All take (elements of the
input) · (output features) MACs. The result's last size says how many features there are, so that
packed weights need not be read. Unpacking and rescaling the weight is part of loading it and costs
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatchcount.rules.core import widths
from dispatchcount.rules.core.cost import Cost, contraction
from dispatchcount.rules.core.fused import epilogue, function_cost
from dispatchcount.rules.core.products import product, rows
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape


def linear_cost(input: Shape, out: Shape, bias: Operand = None) -> Cost:
    """Rows · in · out MACs, and one addition per element of the result if there is a bias."""
    return contraction(
        input.numel * (out[-1] if out else 1), out, bias=bias is not None, operand=input
    )


@RULES.rule("aten::linear", "aten::mkldnn_linear", factors=(0, 1))
def linear(input: Shape, weight: Shape, bias: Shape | None = None, *, out: Shape) -> Cost:
    """Takes rows · in · out MACs for ``input @ weight.T``.

    If the weight is sparse, each row takes its stored elements.
    """
    flat = (
        input
        if input.layout.startswith("sparse")
        else Shape((rows(input), weight[-1]), input.dtype)
    )
    turned = Shape(weight[::-1], weight.dtype, weight.layout, weight.nnz)
    macs, estimate = product(flat, turned)
    return contraction(macs, out, bias=bias is not None, operand=input) + Cost(estimate=estimate)


@RULES.rule(
    "aten::_weight_int4pack_mm", "aten::_weight_int4pack_mm_for_cpu",
    "aten::_weight_int4pack_mm_with_scales_and_zeros", "quantized::int4mm_packed_weight_cpu",
    widths=widths.times(4),
)  # fmt: skip
@RULES.rule("aten::_weight_int8pack_mm", widths=widths.times(8))
@RULES.rule("aten::_dyn_quant_matmul_4bit", widths=widths.fixed(8, 4))
def packed(self: Shape, mat2: Shape, *_: Operand, out: Shape) -> Cost:
    """Takes rows · in · out MACs.

    Only the last of these kernels also rounds its input, to 8 bits.
    """
    return linear_cost(self, out)


def of_mixed_dtypes(input: Shape, weight: Shape, scale: Shape, **_: Operand) -> widths.Pair:
    """The weight of K · N numbers takes 8 bits for each, or 4 if two of them share a byte."""
    wide = widths.bits(input.dtype)
    numbers = input[-1] * scale.numel
    return (wide, 8 * weight.nbytes // numbers) if wide and numbers else None


@RULES.rule("aten::_mixed_dtypes_linear", widths=of_mixed_dtypes)
def mixed_dtypes_linear(
    input: Shape,
    weight: Shape,
    scale: Shape,
    *,
    bias: Shape | None = None,
    activation: str | None = None,
    out: Shape,
) -> Cost:
    """Takes rows · in · out MACs, and an activation function.

    The weight has 8 or 4 bits, the input 16.
    """
    return linear_cost(input, out, bias) + epilogue(activation, out)


@RULES.rule(
    "onednn::linear_dynamic_fp16",
    "quantized::linear_dynamic_fp16_unpacked_weight",
    widths=widths.times(16),
)
def with_bias(x: Shape, w: Shape, bias: Shape | None, *, out: Shape) -> Cost:
    """Takes rows · in · out MACs."""
    return linear_cost(x, out, bias)


@RULES.rule("onednn::linear_relu_dynamic_fp16", widths=widths.times(16))
def relu_fp16(x: Shape, w: Shape, bias: Shape | None, *, out: Shape) -> Cost:
    """Takes rows · in · out MACs, and a ReLU."""
    return linear_cost(x, out, bias) + epilogue("relu", out)


@RULES.rule("mkl::_mkl_linear")
def mkl_linear(
    X: Shape, MKL_W: Shape, ORI_W: Shape, B: Shape | None, *_: Operand, out: Shape
) -> Cost:
    """Takes rows · in · out MACs."""
    return linear_cost(X, out, B)


@RULES.rule("mkldnn::_linear_pointwise")
def onednn_unary(
    X: Shape,
    W: Shape,
    B: Shape | None,
    attr: str,
    scalars: Operand,
    algorithm: str | None,
    *,
    out: Shape,
) -> Cost:
    """Takes rows · in · out MACs, and the activation function `attr`."""
    return linear_cost(X, out, B) + epilogue(attr, out, algorithm)


@RULES.rule("mkldnn::_linear_pointwise.binary")
def onednn_binary(
    X: Shape, other: Shape, W: Shape, B: Shape | None, attr: str, *, out: Shape
) -> Cost:
    """Takes rows · in · out MACs, and `attr` (add, sub, mul) with `other`."""
    return linear_cost(X, out, B) + function_cost(attr, out.numel)


@RULES.rule("aten::linear_backward", "aten::mkldnn_linear_backward")
def linear_backward(
    self: Shape, grad_output: Shape, weight: Shape, output_mask: Sequence[bool], **_: Operand
) -> Cost:
    """Takes rows · in · out MACs for the gradients of input and weight each.

    That of the bias takes an addition per element of `grad_output`.
    """
    to_input, to_weight, to_bias = map(bool, output_mask)
    macs = rows(grad_output) * weight.numel * (4 if weight.is_complex else 1)
    return Cost(macs=macs * (to_input + to_weight), arithmetic=grad_output.numel * to_bias)


@RULES.rule("aten::mkldnn_linear_backward_input")
def backward_input(input_size: Sequence[int], grad_output: Shape, weight: Shape) -> Cost:
    """Rows · in · out."""
    return Cost(macs=rows(grad_output) * weight.numel)


@RULES.rule("aten::mkldnn_linear_backward_weights")
def backward_weights(grad_output: Shape, input: Shape, weight: Shape, bias_defined: bool) -> Cost:
    """Takes rows · in · out MACs, and the sum of `grad_output` for the bias."""
    return Cost(
        macs=rows(grad_output) * weight.numel, arithmetic=grad_output.numel * bool(bias_defined)
    )

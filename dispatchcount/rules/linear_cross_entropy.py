"""The chunked linear layer with cross entropy, which torch 2.14 has as an operator (``torch_nn``).

It computes the logits of one slice of the batch at a time and never stores them, so that its loss
alone counts as activations. With a reduction its forward computes the gradients too.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import part
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape, shapes


def loss_of(
    input: Shape, weight: Shape, target: Shape, bias: Operand, class_weight: Operand
) -> Cost:
    """The products N x D by D x C, the bias, a log-softmax and the look-up of each target.

    N is the number of samples, D the number of features, C that of classes.
    """
    logits = Shape((input.numel // max(input[-1], 1), weight[0]), input.dtype)
    losses = Shape(logits[:1], input.dtype)
    return (
        Cost(macs=logits.numel * input[-1], arithmetic=0 if bias is None else logits.numel)
        + part("aten::_log_softmax", logits, 1, False, out=logits)
        + part("aten::nll_loss_forward", logits, target, class_weight, 0, -100, out=losses)
    )


@RULES.rule("torch_nn::_linear_cross_entropy_batch_chunked_no_reduction")
def per_sample(
    input: Shape,
    weight: Shape,
    target: Shape,
    bias: Operand,
    class_weight: Operand,
    *_: Operand,
    out: Shape,
    **__: Operand,
) -> Cost:
    """Costs `loss_of`, without a reduction."""
    return loss_of(input, weight, target, bias, class_weight) + Cost(activations=out.numel)


@RULES.rule("torch_nn::_linear_cross_entropy_batch_chunked")
def reduced(
    input: Shape, weight: Shape, target: Shape, bias: Operand, class_weight: Operand,
    reduction: str, ignore_index: int, label_smoothing: Operand, chunk: int, acc_policy: Operand,
    acc_dtype: Operand, retain: bool, input_grad: bool, weight_grad: bool, bias_grad: bool, *,
    out: Operand, **_: Operand,
) -> Cost:  # fmt: skip
    """Costs `loss_of`, a sum over the samples, and the gradients if they are asked for.

    A gradient takes ``softmax - one_hot``, scaled, and one more product for input and weight each;
    that of the bias is a sum.
    """
    rows = input.numel // max(input[-1], 1)
    n = rows * weight[0]
    cost = loss_of(input, weight, target, bias, class_weight) + Cost(
        arithmetic=rows, activations=shapes(out)[0].numel
    )
    if input_grad or weight_grad or bias_grad:
        cost += Cost(arithmetic=2 * n, transcendentals=n)
    return cost + Cost(macs=n * input[-1] * (input_grad + weight_grad), arithmetic=n * bias_grad)

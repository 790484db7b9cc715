"""The chunked linear layer with cross entropy that torch registers as an operator of its own (``torch_nn``, torch 2.14).

Logits are computed a slice of the batch at a time and never stored, so the operator hands on its loss alone. With a reduction its
forward computes the gradients too.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import part
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape, shapes


def loss_of(input: Shape, weight: Shape, target: Shape, bias: Any, class_weight: Any) -> Cost:
    """N x D by D x C products, the bias, a log-softmax and the look-up of each target."""
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
    bias: Any,
    class_weight: Any,
    *_: Any,
    out: Shape,
    **__: Any,
) -> Cost:
    """The losses alone."""
    return loss_of(input, weight, target, bias, class_weight) + Cost(activations=out.numel)


@RULES.rule("torch_nn::_linear_cross_entropy_batch_chunked")
def reduced(
    input: Shape, weight: Shape, target: Shape, bias: Any, class_weight: Any, reduction: str, ignore_index: int,
    label_smoothing: Any, chunk: int, acc_policy: Any, acc_dtype: Any, retain: bool,
    input_grad: bool, weight_grad: bool, bias_grad: bool, *, out: Any, **_: Any,
) -> Cost:  # fmt: skip
    """The loss summed; for gradients ``softmax - one_hot``, scaled, and one more product each, sums for the bias."""
    rows = input.numel // max(input[-1], 1)
    n = rows * weight[0]
    cost = loss_of(input, weight, target, bias, class_weight) + Cost(
        arithmetic=rows, activations=shapes(out)[0].numel
    )
    if input_grad or weight_grad or bias_grad:
        cost += Cost(arithmetic=2 * n, transcendentals=n)
    return cost + Cost(macs=n * input[-1] * (input_grad + weight_grad), arithmetic=n * bias_grad)

"""Loss functions and their gradients.

The reduction of a loss adds an operation per element, and a division for the mean.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES, Rule
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import count_given

NONE, MEAN, SUM = 0, 1, 2  # torch's numbers for `reduction`


def reduction_cost(n: int, reduction: int) -> Cost:
    """The cost of turning n losses into one."""
    return Cost(arithmetic=0 if reduction == NONE else n + (reduction == MEAN))


def _two_operands(arithmetic: int, transcendentals: int = 0) -> Rule:
    """The rule of a loss that costs so much per pair of elements."""

    def rule(self: Shape, target: Shape, reduction: int = MEAN, *_: Operand, **__: Operand) -> Cost:
        n = max(self.numel, target.numel)
        return Cost(
            arithmetic=arithmetic * n, transcendentals=transcendentals * n
        ) + reduction_cost(n, reduction)

    return rule


def _two_operands_backward(arithmetic: int, transcendentals: int = 0) -> Rule:
    """The rule of a gradient that costs so much per element."""

    def rule(grad: Shape, self: Shape, *_: Operand, **__: Operand) -> Cost:
        return Cost(
            arithmetic=arithmetic * self.numel, transcendentals=transcendentals * self.numel
        )

    return rule


for _name, _forward, _backward in (
    ("mse_loss", (2, 0), (3, 0)),  # (x - y) ** 2; 2 / n * (x - y) * g
    ("smooth_l1_loss", (6, 0), (5, 0)),  # d = |x - y|; d < beta ? d * d / (2 beta) : d - beta / 2
    ("huber_loss", (6, 0), (5, 0)),
    ("soft_margin_loss", (2, 2), (5, 1)),  # log1p(exp(-x * y)); -y * z / (1 + z) * g
):
    RULES.rule(f"aten::{_name}")(_two_operands(*_forward))
    RULES.rule(f"aten::{_name}_backward")(_two_operands_backward(*_backward))


@RULES.rule("aten::binary_cross_entropy")
def binary_cross_entropy(
    self: Shape, target: Shape, weight: Operand = None, reduction: int = MEAN, **_: Operand
) -> Cost:
    """Takes ``(y - 1) * log(1 - x) - y * log(x)``, and the weight.

    Both logarithms are clamped.
    """
    n = self.numel
    return Cost(arithmetic=(7 + count_given(weight)) * n, transcendentals=2 * n) + reduction_cost(
        n, reduction
    )


@RULES.rule("aten::binary_cross_entropy_backward")
def binary_cross_entropy_backward(
    grad: Shape, self: Shape, target: Shape, weight: Operand = None, *_: Operand, **__: Operand
) -> Cost:
    """Takes ``g * (x - y) / max((1 - x) * x, eps)``, the weight, and the mean's factor."""
    return Cost(arithmetic=(6 + count_given(weight)) * self.numel)


@RULES.rule("aten::binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    self: Shape,
    target: Shape,
    weight: Operand = None,
    pos_weight: Operand = None,
    reduction: int = MEAN,
    **_: Operand,
) -> Cost:
    """Takes ``(1 - y) * x - log_sigmoid(x)``, and the weights.

    The first part is 3 operations, the logarithm 4 with 2 transcendentals. The positive weight adds
    3, the weight 1.
    """
    n = self.numel
    each = 7 + 3 * count_given(pos_weight) + count_given(weight)
    return Cost(arithmetic=each * n, transcendentals=2 * n) + reduction_cost(n, reduction)


@RULES.rule("aten::nll_loss_forward", "aten::nll_loss2d_forward")
def nll_loss(
    self: Shape, target: Shape, weight: Shape | None, reduction: int, *_: Operand, **__: Operand
) -> Cost:
    """Reads one number per target and changes its sign.

    A weight takes a product, and a sum of the weights.
    """
    n = target.numel
    each = self.nbytes // max(self.numel, 1)
    cost = Cost(
        arithmetic=n * (1 + 2 * count_given(weight)),
        bytes_read=n * each + target.nbytes + (weight.nbytes if weight else 0),
    )
    return cost + reduction_cost(n, reduction)


@RULES.rule("aten::nll_loss_backward", "aten::nll_loss2d_backward")
def nll_loss_backward(
    grad: Shape,
    self: Shape,
    target: Shape,
    weight: Shape | None,
    *_: Operand,
    out: Shape,
    **__: Operand,
) -> Cost:
    """Puts ``-g`` at each target, times its weight over the total.

    The input is there for its shape and is not read.
    """
    n = target.numel
    read = grad.nbytes + target.nbytes + (weight.nbytes if weight else 0)
    return Cost(arithmetic=n * (2 + count_given(weight)), bytes_read=read, bytes_written=out.nbytes)


@RULES.rule("aten::multi_margin_loss")
def multi_margin_loss(
    self: Shape,
    target: Shape,
    p: Operand = 1,
    margin: Operand = 1,
    weight: Operand = None,
    reduction: int = MEAN,
    **_: Operand,
) -> Cost:
    """Takes ``max(0, margin - x_y + x) ** p`` per class, and its sum.

    A row takes a division; a weight takes a product per class.
    """
    n = self.numel
    return Cost(arithmetic=(5 + count_given(weight)) * n + target.numel) + reduction_cost(
        target.numel, reduction
    )


@RULES.rule("aten::multi_margin_loss_backward")
def multi_margin_loss_backward(
    grad: Shape,
    self: Shape,
    target: Shape,
    p: Operand,
    margin: Operand,
    weight: Operand = None,
    *_: Operand,
    **__: Operand,
) -> Cost:
    """Takes the margin again, its factor, and the sum for the target's class."""
    return Cost(arithmetic=(6 + count_given(weight)) * self.numel)


@RULES.rule("aten::multilabel_margin_loss_forward")
def multilabel_margin_loss(self: Shape, target: Shape, reduction: int, **_: Operand) -> Cost:
    """Takes 4 operations for every pair of a target and another class.

    These are at most the square of the classes in a row. Fewer targets take less, so it is an
    estimate.
    """
    classes = self[-1] if self else 1
    rows = self.numel // max(classes, 1)
    return Cost(arithmetic=4 * self.numel * classes, estimate=True) + reduction_cost(
        rows, reduction
    )


@RULES.rule("aten::multilabel_margin_loss_backward")
def multilabel_margin_loss_backward(grad: Shape, self: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes the pairs of the forward, and a product with the gradient."""
    return Cost(arithmetic=(4 * (self[-1] if self else 1) + 1) * self.numel, estimate=True)


def _ctc_states(log_probs: Shape, targets: Shape) -> int:
    """Cells of the alpha table, at the longest target.

    There is one for each time, state (a label or one of the blanks around the labels) and item.
    """
    batch = log_probs[1] if len(log_probs) == 3 else 1
    length = targets[-1] if len(targets) == 2 else -(-targets.numel // max(batch, 1))
    return log_probs[0] * (2 * length + 1) * batch


@RULES.rule("aten::_ctc_loss")
def ctc_loss(log_probs: Shape, targets: Shape, *_: Operand, **__: Operand) -> Cost:
    """Takes a log-sum-exp of three states per cell.

    That is a maximum (2), three differences and exponentials, two sums and a logarithm. It is an
    estimate, because the lengths of targets and inputs are data.
    """
    cells = _ctc_states(log_probs, targets)
    return Cost(arithmetic=9 * cells, transcendentals=4 * cells, estimate=True)


@RULES.rule("aten::_ctc_loss_backward")
def ctc_loss_backward(
    grad: Shape, log_probs: Shape, targets: Shape, *_: Operand, **__: Operand
) -> Cost:
    """Takes the beta table, its product with the alpha table, and the gradient per class."""
    cells = _ctc_states(log_probs, targets)
    n = log_probs.numel
    return Cost(arithmetic=14 * cells + 4 * n, transcendentals=6 * cells + 2 * n, estimate=True)


@RULES.rule("aten::_cudnn_ctc_loss", "aten::miopen_ctc_loss")
def ctc_loss_with_gradient(log_probs: Shape, targets: Shape, *_: Operand, **__: Operand) -> Cost:
    """Costs the loss and its gradient: these kernels return both."""
    return ctc_loss(log_probs, targets) + ctc_loss_backward(log_probs, log_probs, targets)

"""Loss functions and their gradients. The reduction of a loss adds an operation per element, and a division for the mean."""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import given

NONE, MEAN, SUM = 0, 1, 2  # torch's numbers for `reduction`


def reduction_cost(n: int, reduction: int) -> Cost:
    """What turns n losses into one."""
    return Cost(arithmetic=0 if reduction == NONE else n + (reduction == MEAN))


def _two_operands(arithmetic: int, transcendentals: int = 0) -> Any:
    def rule(self: Shape, target: Shape, reduction: int = MEAN, *_: Any, **__: Any) -> Cost:
        n = max(self.numel, target.numel)
        return Cost(
            arithmetic=arithmetic * n, transcendentals=transcendentals * n
        ) + reduction_cost(n, reduction)

    return rule


def _two_operands_backward(arithmetic: int, transcendentals: int = 0) -> Any:
    def rule(grad: Shape, self: Shape, *_: Any, **__: Any) -> Cost:
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
    self: Shape, target: Shape, weight: Any = None, reduction: int = MEAN, **_: Any
) -> Cost:
    """``(y - 1) * log(1 - x) - y * log(x)`` with both logarithms clamped, and the weight."""
    n = self.numel
    return Cost(arithmetic=(7 + given(weight)) * n, transcendentals=2 * n) + reduction_cost(
        n, reduction
    )


@RULES.rule("aten::binary_cross_entropy_backward")
def binary_cross_entropy_backward(
    grad: Shape, self: Shape, target: Shape, weight: Any = None, *_: Any, **__: Any
) -> Cost:
    """``g * (x - y) / max((1 - x) * x, eps)``, the weight, and the mean's factor."""
    return Cost(arithmetic=(6 + given(weight)) * self.numel)


@RULES.rule("aten::binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    self: Shape,
    target: Shape,
    weight: Any = None,
    pos_weight: Any = None,
    reduction: int = MEAN,
    **_: Any,
) -> Cost:
    """``(1 - y) * x - log_sigmoid(x)`` (3, and 4 with 2 transcendentals), 3 for the positive weight, 1 for the weight."""
    n = self.numel
    each = 7 + 3 * given(pos_weight) + given(weight)
    return Cost(arithmetic=each * n, transcendentals=2 * n) + reduction_cost(n, reduction)


@RULES.rule("aten::nll_loss_forward", "aten::nll_loss2d_forward")
def nll_loss(self: Shape, target: Shape, weight: Any, reduction: int, *_: Any, **__: Any) -> Cost:
    """Takes one number per target and changes its sign; a weight is a product and a sum of the weights."""
    n = target.numel
    each = self.nbytes // max(self.numel, 1)
    cost = Cost(
        arithmetic=n * (1 + 2 * given(weight)),
        bytes_read=n * each + target.nbytes + (weight.nbytes if weight else 0),
    )
    return cost + reduction_cost(n, reduction)


@RULES.rule("aten::nll_loss_backward", "aten::nll_loss2d_backward")
def nll_loss_backward(
    grad: Shape, self: Shape, target: Shape, weight: Any, *_: Any, out: Shape, **__: Any
) -> Cost:
    """Puts ``-g`` (times the weight, over the total) at each target; the input is there for its shape and is not read."""
    n = target.numel
    read = grad.nbytes + target.nbytes + (weight.nbytes if weight else 0)
    return Cost(arithmetic=n * (2 + given(weight)), bytes_read=read, bytes_written=out.nbytes)


@RULES.rule("aten::multi_margin_loss")
def multi_margin_loss(
    self: Shape,
    target: Shape,
    p: Any = 1,
    margin: Any = 1,
    weight: Any = None,
    reduction: int = MEAN,
    **_: Any,
) -> Cost:
    """Per class ``max(0, margin - x_y + x) ** p`` and its sum; the weight; a division per row."""
    n = self.numel
    return Cost(arithmetic=(5 + given(weight)) * n + target.numel) + reduction_cost(
        target.numel, reduction
    )


@RULES.rule("aten::multi_margin_loss_backward")
def multi_margin_loss_backward(
    grad: Shape,
    self: Shape,
    target: Shape,
    p: Any,
    margin: Any,
    weight: Any = None,
    *_: Any,
    **__: Any,
) -> Cost:
    """The margin again, its factor, and the sum for the target's class."""
    return Cost(arithmetic=(6 + given(weight)) * self.numel)


@RULES.rule("aten::multilabel_margin_loss_forward")
def multilabel_margin_loss(self: Shape, target: Shape, reduction: int, **_: Any) -> Cost:
    """Every pair of a target and another class: at most classes squared a row, 4 operations each. Fewer targets do less."""
    classes = self[-1] if self else 1
    rows = self.numel // max(classes, 1)
    return Cost(arithmetic=4 * self.numel * classes, estimate=True) + reduction_cost(
        rows, reduction
    )


@RULES.rule("aten::multilabel_margin_loss_backward")
def multilabel_margin_loss_backward(grad: Shape, self: Shape, *_: Any, **__: Any) -> Cost:
    """The same pairs, and a product by the gradient."""
    return Cost(arithmetic=(4 * (self[-1] if self else 1) + 1) * self.numel, estimate=True)


def _ctc_states(log_probs: Shape, targets: Shape) -> int:
    """Cells of the alpha table: times (labels and the blanks around them) times batch, at the longest target."""
    batch = log_probs[1] if len(log_probs) == 3 else 1
    length = targets[-1] if len(targets) == 2 else -(-targets.numel // max(batch, 1))
    return log_probs[0] * (2 * length + 1) * batch


@RULES.rule("aten::_ctc_loss")
def ctc_loss(log_probs: Shape, targets: Shape, *_: Any, **__: Any) -> Cost:
    """A log-sum-exp of three states per cell: a maximum (2), three differences and exponentials, two sums, a logarithm.

    An estimate: the lengths of the targets and inputs are data.
    """
    cells = _ctc_states(log_probs, targets)
    return Cost(arithmetic=9 * cells, transcendentals=4 * cells, estimate=True)


@RULES.rule("aten::_ctc_loss_backward")
def ctc_loss_backward(grad: Shape, log_probs: Shape, targets: Shape, *_: Any, **__: Any) -> Cost:
    """The beta table as the alpha table, its product with it, and the gradient per class."""
    cells = _ctc_states(log_probs, targets)
    n = log_probs.numel
    return Cost(arithmetic=14 * cells + 4 * n, transcendentals=6 * cells + 2 * n, estimate=True)


@RULES.rule("aten::_cudnn_ctc_loss", "aten::miopen_ctc_loss")
def ctc_loss_with_gradient(log_probs: Shape, targets: Shape, *_: Any, **__: Any) -> Cost:
    """These kernels return the gradient with the loss."""
    return ctc_loss(log_probs, targets) + ctc_loss_backward(log_probs, log_probs, targets)

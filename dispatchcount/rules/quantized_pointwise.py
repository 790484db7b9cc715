"""Element-wise operators on quantized tensors, and the copies among them.

They count what the float ones do: the scaling before and after belongs to the number format and not
to the mathematics, so a model has one count in both.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.pointwise import POINTWISE, per_element

for _name in (
    "add", "mul", "sigmoid", "leaky_relu", "hardswish", "elu", "celu", "threshold"
):  # fmt: skip
    RULES.rule(f"quantized::{_name}")(per_element(*POINTWISE[_name]))

# Sums and products have more forms: with a number, into a given tensor, and with a ReLU after it.
for _name in ("add", "mul"):
    _arithmetic, _ = POINTWISE[_name]
    RULES.rule(*(f"quantized::{_name}{form}" for form in ("_out", "_scalar", "_scalar_out")))(
        per_element(_arithmetic, 0)
    )
    RULES.rule(
        *(
            f"quantized::{_name}{form}"
            for form in ("_relu", "_relu_out", "_scalar_relu", "_scalar_relu_out")
        )
    )(per_element(_arithmetic + 1, 0))

RULES.rule("_quantized::add", "onednn::qadd", "onednn::qmul")(per_element(1, 0))
RULES.rule("onednn::qadd_relu")(per_element(2, 0))
RULES.rule("quantized::clamp", "quantized::relu6")(per_element(2, 0))  # two bounds
RULES.rule("quantized::prelu")(per_element(2, 0))  # a product and a select
RULES.rule("quantized::cat_relu", "quantized::cat_relu_out")(per_element(1, 0))


@RULES.move("quantized::cat", "quantized::cat_out")
def cat(*_: Operand, **__: Operand) -> Cost:
    """Copies the stored integers."""
    return Cost()


@RULES.rule("quantized::dropout")
def dropout(
    self: Shape,
    scale: Operand,
    zero_point: Operand,
    p: Operand = None,
    training: bool = False,
    **_: Operand,
) -> Cost:
    """A mask and a scale per element in training, else nothing."""
    return Cost(arithmetic=2 * self.numel if training else 0)

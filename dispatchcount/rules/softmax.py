"""What a softmax costs per element: used by the softmax operators and by the attention kernels that have one inside."""

from __future__ import annotations

from dispatchcount.rules.cost import Cost

SOFTMAX_ARITHMETIC = 4
"""Maximum, subtract, sum, divide; the exponential is one transcendental beside them."""

SOFTMAX_BACKWARD_ARITHMETIC = 4
"""``y * (g - sum(g * y))``: multiply, sum, subtract, multiply."""


def softmax_cost(elements: int) -> Cost:
    """A softmax over `elements` scores, however they are split into rows."""
    return Cost(arithmetic=SOFTMAX_ARITHMETIC * elements, transcendentals=elements)

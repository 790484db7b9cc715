"""What the gates of recurrent cells cost, per element of the hidden state, forward and backward.

The steps are those of the unfused cells, so that LSTMCell, the fused cell and a whole layer agree.
`recurrent` counts the matrix products and their biases; the sum of the two products is counted
here.
"""

from __future__ import annotations

from collections.abc import Callable

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import function_cost

GATES = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}
"""Kind of cell: row blocks of its weights."""

MODES = ("relu", "tanh", "lstm", "gru")
"""Kinds of cell, by the number that cuDNN, MIOpen and oneDNN give them."""


def lstm(n: int) -> Cost:
    """Takes 4 sums; i, f, o by sigmoid and g by tanh.

    Then ``c = f * c + i * g`` and ``h = o * tanh(c)``.
    """
    return (
        function_cost("sigmoid", 3 * n)
        + function_cost("tanh", 2 * n)
        + Cost(arithmetic=(4 + 3 + 1) * n)
    )


def gru(n: int) -> Cost:
    """Takes reset and update by sigmoid, and 2 sums.

    Then ``n = tanh(x + r * h)`` and ``h = (h - n) * z + n``.
    """
    return (
        function_cost("sigmoid", 2 * n)
        + function_cost("tanh", n)
        + Cost(arithmetic=(2 + 2 + 3) * n)
    )


def simple(function: str) -> Callable[[int], Cost]:
    """Takes one sum, then tanh or ReLU."""
    return lambda n: function_cost(function, n) + Cost(arithmetic=n)


FORWARD: dict[str, Callable[[int], Cost]] = {
    "lstm": lstm,
    "gru": gru,
    "tanh": simple("tanh"),
    "relu": simple("relu"),
}
"""Kind of cell: the cost of its gates for so many elements."""


def lstm_backward(n: int) -> Cost:
    """Takes ``tanh(c)`` again and the gradients of all parts.

    They are 6 operations for o and c, 4 for i, f, g and the old c, and 3 for each of four through
    its gate.
    """
    return Cost(arithmetic=(6 + 4 + 4 * 3) * n, transcendentals=n)


def gru_backward(n: int) -> Cost:
    """Takes 5 operations for z, 1 for the old h, 5 for n, 1 for its hidden part, and 4 for r."""
    return Cost(arithmetic=16 * n)


def tanh_backward(n: int) -> Cost:
    """Takes ``g * (1 - h * h)``."""
    return Cost(arithmetic=3 * n)


def relu_backward(n: int) -> Cost:
    """Takes a select."""
    return Cost(arithmetic=n)


BACKWARD: dict[str, Callable[[int], Cost]] = {
    "lstm": lstm_backward, "gru": gru_backward, "tanh": tanh_backward, "relu": relu_backward,
}  # fmt: skip
"""Kind of cell: the cost of its gates' gradients for so many elements."""

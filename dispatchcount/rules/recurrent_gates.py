"""What the gates of recurrent cells cost beside their matrix products, forward and backward, per element of the hidden state.

The steps are those of the unfused cells, so that LSTMCell, the fused cell and a whole layer agree. The products' biases are
counted by `recurrent`, the sums of the two products here.
"""

from __future__ import annotations

from collections.abc import Callable

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.fused import function_cost

GATES = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}
"""Kind of cell: row blocks of its weights."""

MODES = ("relu", "tanh", "lstm", "gru")
"""Kinds of cell by the number that cuDNN, MIOpen and oneDNN give them."""


def lstm(n: int) -> Cost:
    """4 sums; i, f, o by sigmoid, g by tanh; ``c = f * c + i * g``; ``h = o * tanh(c)``."""
    return (
        function_cost("sigmoid", 3 * n)
        + function_cost("tanh", 2 * n)
        + Cost(arithmetic=(4 + 3 + 1) * n)
    )


def gru(n: int) -> Cost:
    """Reset and update by sigmoid (2 sums); ``n = tanh(x + r * h)``; ``h = (h - n) * z + n``."""
    return (
        function_cost("sigmoid", 2 * n)
        + function_cost("tanh", n)
        + Cost(arithmetic=(2 + 2 + 3) * n)
    )


def simple(function: str) -> Callable[[int], Cost]:
    """One sum, then tanh or ReLU."""
    return lambda n: function_cost(function, n) + Cost(arithmetic=n)


FORWARD: dict[str, Callable[[int], Cost]] = {
    "lstm": lstm,
    "gru": gru,
    "tanh": simple("tanh"),
    "relu": simple("relu"),
}


def lstm_backward(n: int) -> Cost:
    """``tanh(c)`` again; the gradients of o and c (6), of i, f, g and the old c (4), each of four through its gate (3)."""
    return Cost(arithmetic=(6 + 4 + 4 * 3) * n, transcendentals=n)


def gru_backward(n: int) -> Cost:
    """z: 5, the old h: 1, n: 5, its hidden part: 1, r: 4."""
    return Cost(arithmetic=16 * n)


def tanh_backward(n: int) -> Cost:
    """``g * (1 - h * h)``."""
    return Cost(arithmetic=3 * n)


def relu_backward(n: int) -> Cost:
    """A select."""
    return Cost(arithmetic=n)


BACKWARD: dict[str, Callable[[int], Cost]] = {
    "lstm": lstm_backward, "gru": gru_backward, "tanh": tanh_backward, "relu": relu_backward,
}  # fmt: skip

"""Element-wise operators: one table of what they cost per element of the result.

A compare, select, minimum, maximum, rounding, sign change or bit operation is one arithmetic
operation, like an addition. A special function is one transcendental, however long its series is. A
complex element counts like a real one. Broadcasting an operand costs nothing.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES, Rule
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import first

_ONE = words("""
    add sub rsub mul div remainder fmod reciprocal abs neg sign sgn signbit ceil floor round trunc
    eq ne lt le gt ge maximum minimum fmax fmin clamp_min clamp_max logical_and logical_or
    logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift
    bitwise_right_shift __lshift__ __rshift__ __ilshift__ __irshift__ isnan isinf isposinf isneginf
    copysign nextafter heaviside frexp gcd lcm where masked_fill relu threshold threshold_backward
    deg2rad rad2deg conj_physical _conj_physical
""")

_TRANSCENDENTAL = words("""
    exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh
    acosh atanh atan2 angle erf erfc erfinv lgamma digamma polygamma igamma igammac i0
    special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
    special_spherical_bessel_j0 special_chebyshev_polynomial_t special_chebyshev_polynomial_u
    special_chebyshev_polynomial_v special_chebyshev_polynomial_w
    special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
    special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w
    special_hermite_polynomial_h special_hermite_polynomial_he special_laguerre_polynomial_l
    special_legendre_polynomial_p special_erfcx special_i0e special_i1 special_i1e special_log_ndtr
    special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0
    special_modified_bessel_k1 special_ndtri special_scaled_modified_bessel_k0
    special_scaled_modified_bessel_k1 special_zeta
""")

POINTWISE: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_ONE, (1, 0)),
    **dict.fromkeys(_TRANSCENDENTAL, (0, 1)),
    "floor_divide": (2, 0),  # divide, floor
    "frac": (2, 0),  # trunc, sub
    "lerp": (3, 0),  # start + weight * (end - start)
    "addcmul": (2, 0),
    "addcdiv": (2, 0),
    "nan_to_num": (3, 0),  # three selects
    "_add_relu": (2, 0),
    "ldexp": (1, 1),  # x * 2 ** e
    "hypot": (3, 1),
    "sinc": (2, 1),  # sin(pi x) / (pi x)
    "xlogy": (1, 1),
    "special_xlog1py": (1, 1),
    "special_entr": (2, 1),  # -x * log(x)
    "logaddexp": (5, 2),  # max + log1p(exp(-|a - b|))
    "logaddexp2": (5, 2),
    "linalg_cross": (3, 0),  # a * b - c * d
    "polar": (2, 2),  # r cos t, r sin t
    "hardtanh": (2, 0),
    "leaky_relu": (2, 0),  # compare, mul
    "_prelu_kernel": (2, 0),
    "rrelu_with_noise": (2, 0),
    "rrelu_with_noise_functional": (2, 0),
    "hardshrink": (2, 0),  # abs, compare
    "softshrink": (3, 0),  # abs, compare, sub
    "hardsigmoid": (4, 0),  # min(max(x + 3, 0), 6) / 6
    "hardswish": (5, 0),
    "sigmoid": (2, 1),  # 1 / (1 + exp(-x)), the sign in the exponential
    "silu": (3, 1),
    "mish": (1, 3),  # x * tanh(log1p(exp(x)))
    "softplus": (3, 2),  # log1p(exp(x * beta)) / beta, threshold
    "elu": (3, 1),  # compare, expm1, alpha, scale
    "celu": (3, 1),
    "log_sigmoid_forward": (4, 2),  # min(0, x) - log1p(exp(-|x|))
    "glu": (3, 1),  # a * sigmoid(b)
    "glu_jvp": (7, 1),  # sigmoid, da * s + glu * (1 - s) * db
    "_masked_scale": (2, 0),
    "native_dropout_backward": (2, 0),
    # Backward formulas, as the CPU kernels write them.
    "sigmoid_backward": (3, 0),  # g * (1 - y) * y
    "tanh_backward": (3, 0),  # g * (1 - y * y)
    "logit_backward": (3, 0),  # g / (x * (1 - x))
    "silu_backward": (7, 1),  # s = sigmoid(x); g * s * (1 + x * (1 - s))
    "mish_backward": (8, 4),  # t = tanh(softplus(x)); g * (t + x * sigmoid(x) * (1 - t * t))
    "softplus_backward": (5, 1),  # z = exp(x * beta); g * z / (z + 1), threshold
    "leaky_relu_backward": (2, 0),
    "rrelu_with_noise_backward": (2, 0),
    "_prelu_kernel_backward": (4, 0),  # for each of input and weight a compare and a product
    "hardtanh_backward": (2, 0),
    "hardshrink_backward": (2, 0),
    "softshrink_backward": (2, 0),
    "hardsigmoid_backward": (3, 0),  # two compares, g / 6
    "hardswish_backward": (5, 0),  # two compares, g * (x / 3 + 1 / 2)
    "log_sigmoid_backward": (6, 1),  # (m - sign * z / (1 + z)) * g with z = exp(-|x|)
}  # fmt: skip
"""Name without namespace: (arithmetic, transcendentals) per element of the result."""

GELU = {"none": (4, 1), "tanh": (8, 1)}
"""``x / 2 * (1 + erf(x / sqrt(2)))``, or with ``tanh(k1 * (x + k2 * x ** 3))`` in place of erf."""

GELU_BACKWARD = {"none": (9, 2), "tanh": (18, 1)}
"""``g * (cdf + x * pdf)``, or the derivative of the tanh form as ATen's kernel writes it."""

EXTRA = {"alpha": 1, "value": 1, "rounding_mode": 1, "decimals": 2}
"""Keyword: arithmetic per element that it adds when it is given.

`alpha` and `value` scale an operand, `rounding_mode` rounds a quotient, and `decimals` multiplies
by ``10 ** d`` and divides again.
"""

POWERS = {0: 0, 1: 0, 2: 1, 3: 2, -1: 1, -2: 2}
"""Exponent: multiplications and divisions of the powers that torch computes without `pow`."""


def multiplications(exponent: Operand) -> int | None:
    """The cost of a power that `POWERS` lists.

    None if the exponent is another number or a tensor, or if capture did not keep its value.
    """
    if isinstance(exponent, int) or (isinstance(exponent, float) and exponent.is_integer()):
        return POWERS.get(int(exponent))
    return None


def extra(name: str, args: tuple[Operand, ...], kwargs: dict[str, Operand]) -> int:
    """Arithmetic per element that optional arguments add (`EXTRA`).

    Torch passes an optional argument on only if it differs from the default, so its presence is
    enough; its value may not have been kept. The `alpha` of add and sub with a scalar is
    positional.
    """
    positional = name in ("add", "sub", "rsub", "_add_relu") and len(args) > 2
    named = [key for key in EXTRA if key in kwargs]
    if kwargs.get("rounding_mode", "") is None:
        named.remove("rounding_mode")
    return positional + sum(EXTRA[key] for key in named)


def per_element(arithmetic: int, transcendentals: int, name: str = "") -> Rule:
    """The rule of an operator that costs so much per element of its first result.

    Args:
        arithmetic: operations per element.
        transcendentals: the same for exp, log, tanh ….
        name: the operator's name without namespace, if optional arguments may add to it (`extra`).
    """

    def rule(*args: Operand, out: Operand = (), **kwargs: Operand) -> Cost:
        n = first(out)
        return Cost(
            arithmetic=n * (arithmetic + extra(name, args, kwargs)),
            transcendentals=n * transcendentals,
        )

    return rule


for _name, _costs in POINTWISE.items():
    RULES.rule(f"aten::{_name}")(per_element(*_costs, _name))


@RULES.rule("aten::clamp")
def clamp(self: Shape, *bounds: Operand, out: Shape, **_: Operand) -> Cost:
    """Takes one comparison for each bound that is passed.

    ``clamp(x, None, 6.0)`` counts two, because the values of the bounds are not always kept.
    """
    return Cost(arithmetic=out.numel * len(bounds))


@RULES.rule("aten::pow")
def power(base: Operand, exponent: Operand = None, *, out: Shape, **_: Operand) -> Cost:
    """A small whole exponent takes multiplications (`POWERS`), any other a transcendental."""
    steps = multiplications(exponent)
    return Cost(transcendentals=out.numel) if steps is None else Cost(arithmetic=out.numel * steps)


@RULES.rule("aten::gelu")
def gelu(self: Shape, *, approximate: str = "none", out: Shape) -> Cost:
    """Costs `GELU` per element."""
    a, t = GELU[approximate]
    return Cost(arithmetic=out.numel * a, transcendentals=out.numel * t)


@RULES.rule("aten::gelu_backward")
def gelu_backward(
    grad: Shape, self: Shape, *, approximate: str = "none", out: Shape, **_: Operand
) -> Cost:
    """Costs `GELU_BACKWARD` per element."""
    a, t = GELU_BACKWARD[approximate]
    return Cost(arithmetic=out.numel * a, transcendentals=out.numel * t)


@RULES.rule("aten::elu_backward")
def elu_backward(
    grad: Shape,
    alpha: Operand,
    scale: Operand,
    input_scale: Operand,
    is_result: bool,
    self: Shape,
    *,
    out: Shape,
    **_: Operand,
) -> Cost:
    """Takes a compare, and three products per element.

    Elements above 0 take only two products, which depends on data, so three count for all. The
    exponential is left out if the forward kept its result.
    """
    return Cost(arithmetic=4 * out.numel, transcendentals=0 if is_result else out.numel)


@RULES.rule("aten::logit")
def logit(self: Shape, eps: Operand = (), *, out: Shape) -> Cost:
    """Takes ``log(x / (1 - x))``; an `eps` that is passed clamps x to [eps, 1 - eps] first."""
    return Cost(arithmetic=out.numel * (2 if eps == () else 4), transcendentals=out.numel)


@RULES.rule("aten::mvlgamma")
def mvlgamma(self: Shape, p: int, *, out: Shape) -> Cost:
    """Sums p log-gammas at shifted points: p shifts, p evaluations, p additions."""
    return Cost(arithmetic=2 * p * out.numel, transcendentals=p * out.numel)


@RULES.rule("aten::glu_backward")
def glu_backward(grad: Shape, self: Shape, dim: int, **_: Operand) -> Cost:
    """Takes a sigmoid s, then ``g * s`` and ``g * s * (1 - s) * a``.

    That is done per element of the gradient g.
    """
    return Cost(arithmetic=6 * grad.numel, transcendentals=grad.numel)


@RULES.rule("aten::glu_backward_jvp")
def glu_backward_jvp(
    grad_x: Shape, grad_glu: Shape, x: Shape, dgrad_glu: Shape, dx: Shape, dim: int, **_: Operand
) -> Cost:
    """The tangents of both halves of the input.

    Each element of the gradient takes a sigmoid, and 12 products and sums.
    """
    return Cost(arithmetic=14 * grad_glu.numel, transcendentals=grad_glu.numel)


@RULES.rule("aten::native_dropout", "aten::_fused_dropout")
def dropout(self: Shape, p: Operand = None, train: Operand = None, **_: Operand) -> Cost:
    """Takes a mask and a scale per element, as the unfused kernels do; nothing outside training.

    Drawing random numbers is no arithmetic.
    """
    return Cost() if train is False else Cost(arithmetic=2 * self.numel)


@RULES.rule("aten::_transform_bias_rescale_qkv")
def transform_bias_rescale_qkv(
    qkv: Shape, bias: Shape, num_heads: int, *, out: Operand, **_: Operand
) -> Cost:
    """Adds the bias to query, key and value, and scales the query."""
    n = first(out)
    return Cost(arithmetic=4 * n)

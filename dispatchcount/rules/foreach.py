"""The ``_foreach_*`` operators: the costs of `pointwise`, summed over lists of tensors."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES, Rule
from dispatchcount.rules.core.shape import Operand, Shape, shapes
from dispatchcount.rules.pointwise import EXTRA, POINTWISE, multiplications
from dispatchcount.rules.reduce import norm as one_norm
from dispatchcount.rules.reduce import powsum as one_powsum

_NAMES = words("""
    abs acos add asin atan ceil clamp_max clamp_min cos cosh div erf erfc exp expm1 floor frac lerp
    lgamma log log10 log1p log2 maximum minimum mul neg reciprocal round rsqrt sigmoid sign sin sinh
    sqrt sub tan tanh trunc addcmul addcdiv
""")


def over_lists(name: str) -> Rule:
    """The rule of the list form of an element-wise operator.

    An alpha or value that is given is one operation more per element.
    """
    arithmetic, transcendentals = POINTWISE[name]
    operands = 3 if name.startswith("addc") else 2

    def rule(self: Operand, *args: Operand, **named: Operand) -> Cost:
        n = sum(s.numel for s in shapes(self))
        scaled = len(args) >= operands or any(key in named for key in EXTRA)
        scaled = scaled and name in ("add", "sub", "addcmul", "addcdiv")
        return Cost(arithmetic=(arithmetic + scaled) * n, transcendentals=transcendentals * n)

    return rule


for _name in _NAMES:
    RULES.rule(f"aten::_foreach_{_name}")(over_lists(_name))


@RULES.rule("aten::_foreach_pow")
def foreach_pow(self: Operand, exponent: Operand = None, **_: Operand) -> Cost:
    """Takes multiplications for a small whole exponent, as `pow` does, else a transcendental.

    If the base is one number for all, it is the first argument and the exponents are the tensors.
    """
    n = sum(s.numel for s in shapes(self) or shapes(exponent))
    steps = multiplications(exponent)
    return Cost(transcendentals=n) if steps is None else Cost(arithmetic=n * steps)


@RULES.rule("aten::_foreach_max")
def foreach_max(self: Operand, **_: Operand) -> Cost:
    """Takes a comparison per element."""
    return Cost(arithmetic=sum(s.numel for s in shapes(self)))


@RULES.rule("aten::_foreach_norm")
def foreach_norm(self: Operand, p: Operand = 2, *_: Operand, **__: Operand) -> Cost:
    """Takes the norm of each tensor."""
    return sum((one_norm(s, p, out=Shape()) for s in shapes(self)), Cost())


@RULES.rule("aten::_foreach_powsum")
def foreach_powsum(self: Operand, p: Operand = 2, *_: Operand, **__: Operand) -> Cost:
    """Takes the sum of powers of each tensor."""
    return sum((one_powsum(s, p) for s in shapes(self)), Cost())

"""Fourier transforms, by the figure that FFTW's benchmarks use.

That is 5 N log2 N floating point operations for N complex points, and half of it for real ones
(https://www.fftw.org/speed/method.html). It is an estimate, because what a library does differs
with N. The MACs are half of the operations. `stft`, `istft` and the ``fft_*`` functions run as
these three.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2, prod

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, Shape
from dispatchcount.rules.core.sizes import result


def fft_cost(full: Shape, dim: Sequence[int], *, real: bool) -> Cost:
    """Transforms along `dim` of a tensor of sizes `full`.

    Args:
        full: the sizes of the real side.
        dim: the dimensions transformed; N is the product of their sizes.
        real: True if one side is real.
    """
    length = prod(full[d] for d in dim)
    flops = 5 * prod(full) * log2(length) / (2 if real else 1) if length > 1 else 0
    return Cost(macs=ceil(flops / 2), estimate=True)


@RULES.rule("aten::_fft_c2c")
def c2c(self: Shape, dim: Sequence[int], *_: Operand, **__: Operand) -> Cost:
    """Transforms complex numbers to complex ones."""
    return fft_cost(self, dim, real=False)


@RULES.rule("aten::_fft_r2c")
def r2c(self: Shape, dim: Sequence[int], *_: Operand, **__: Operand) -> Cost:
    """Transforms real numbers to complex ones."""
    return fft_cost(self, dim, real=True)


@RULES.rule("aten::_fft_c2r")
def c2r(self: Shape, dim: Sequence[int], *_: Operand, out: Shape, **__: Operand) -> Cost:
    """Transforms complex numbers to real ones."""
    return fft_cost(result(out), dim, real=True)

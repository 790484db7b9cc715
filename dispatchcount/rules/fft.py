"""Fourier transforms: 5 N log2 N floating point operations for N complex points, half of it for real ones (an estimate).

The figure is the one that FFTW's benchmarks use (https://www.fftw.org/speed/method.html); what a library does differs with N.
It is kept as half as many MACs. `stft`, `istft` and the ``fft_*`` functions run as these three.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2, prod
from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Shape
from dispatchcount.rules.core.sizes import result


def fft_cost(full: Shape, dim: Sequence[int], *, real: bool) -> Cost:
    """Transforms along `dim` of a tensor of the sizes `full` (those of the real side), N being the product along `dim`."""
    length = prod(full[d] for d in dim)
    flops = 5 * prod(full) * log2(length) / (2 if real else 1) if length > 1 else 0
    return Cost(macs=ceil(flops / 2), estimate=True)


@RULES.rule("aten::_fft_c2c")
def c2c(self: Shape, dim: Sequence[int], *_: Any, **__: Any) -> Cost:
    """Complex to complex."""
    return fft_cost(self, dim, real=False)


@RULES.rule("aten::_fft_r2c")
def r2c(self: Shape, dim: Sequence[int], *_: Any, **__: Any) -> Cost:
    """Real to complex."""
    return fft_cost(self, dim, real=True)


@RULES.rule("aten::_fft_c2r")
def c2r(self: Shape, dim: Sequence[int], *_: Any, out: Shape, **__: Any) -> Cost:
    """Complex to real."""
    return fft_cost(result(out), dim, real=True)

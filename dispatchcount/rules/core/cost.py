"""What one call of an operator costs."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dispatchcount.rules.core.shape import Shape


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of an operator does. All counts are exact integers unless `estimate` is set.

    Costs add up (``a + b`` is one call after the other) and repeat (``3 * a``).

    Attributes:
        macs: multiply-accumulates of contractions (matrix product, convolution, attention,
            recurrent cell, bilinear form). A complex one counts 4.
        arithmetic: every other add, multiply, compare, min or max, per element.
        transcendentals: exp, log, tanh, erf, sqrt, pow, sin …, per element.
        activations: elements that convolutions, matrix products and the kernels built of them hand
            on, as fvcore defines it.
        fvcore: what fvcore's formula adds to the MACs for norms, upsampling, adaptive average
            pooling and grid sampling.
        bytes_read: element size times elements of the operands. None lets the caller derive it from
            the shapes of the call: every operand is read once.
        bytes_written: the same of the results. None: every result is written once.
        estimate: True if the counts are a published estimate and not exact, because the algorithm
            iterates or depends on data.
        masked_macs: those of the MACs that belong to attention scores which the call itself says
            are masked, by ``is_causal`` or a window. What a mask's contents hide is not among them.
        recomputed_macs: those of the MACs with which a fused backward forms again what its forward
            had formed and not kept.
        bops: MACs times the bits of both factors. None lets the caller derive it from the dtypes of
            the call.
        sized_macs: those of the MACs that `bops` counts, because the width of their factors is
            known. The caller fills it.
        payload_bytes: bytes of the whole that a collective is about: its input or its output, as
            `dispatchcount.rules.core.traffic` says.
        wire_bytes: bytes that pass this rank's link in one direction because of a collective.
        nonzero_macs: those of the MACs that do not multiply with a weight that is zero. Not for
            rules, which see no numbers: it is filled where the weights were read.
        weighed_macs: those of the MACs of which it is known, likewise.
    """

    macs: int = 0
    arithmetic: int = 0
    transcendentals: int = 0
    activations: int = 0
    fvcore: int = 0
    bytes_read: int | None = None
    bytes_written: int | None = None
    estimate: bool = False
    masked_macs: int = 0
    recomputed_macs: int = 0
    bops: int | None = None
    sized_macs: int = 0
    payload_bytes: int = 0
    wire_bytes: int = 0
    nonzero_macs: int = 0
    weighed_macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        """The cost of two calls, one after the other.

        Bytes and bops stay unset only if they are unset on both sides.
        """
        return Cost(
            self.macs + other.macs,
            self.arithmetic + other.arithmetic,
            self.transcendentals + other.transcendentals,
            self.activations + other.activations,
            self.fvcore + other.fvcore,
            _add(self.bytes_read, other.bytes_read),
            _add(self.bytes_written, other.bytes_written),
            self.estimate or other.estimate,
            self.masked_macs + other.masked_macs,
            self.recomputed_macs + other.recomputed_macs,
            _add(self.bops, other.bops),
            self.sized_macs + other.sized_macs,
            self.payload_bytes + other.payload_bytes,
            self.wire_bytes + other.wire_bytes,
            self.nonzero_macs + other.nonzero_macs,
            self.weighed_macs + other.weighed_macs,
        )

    def __mul__(self, times: int) -> Cost:
        """The cost of the same call made `times` times."""
        return Cost(
            self.macs * times,
            self.arithmetic * times,
            self.transcendentals * times,
            self.activations * times,
            self.fvcore * times,
            None if self.bytes_read is None else self.bytes_read * times,
            None if self.bytes_written is None else self.bytes_written * times,
            self.estimate,
            self.masked_macs * times,
            self.recomputed_macs * times,
            None if self.bops is None else self.bops * times,
            self.sized_macs * times,
            self.payload_bytes * times,
            self.wire_bytes * times,
            self.nonzero_macs * times,
            self.weighed_macs * times,
        )

    __rmul__ = __mul__


COUNTS = tuple(f.name for f in fields(Cost) if f.name != "estimate")
"""The names of the integer fields of `Cost`, in order."""

MAY_BE_UNSET = frozenset(f.name for f in fields(Cost) if f.default is None)
"""Those that a rule may leave to its caller: bytes and bops."""


def _add(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return a if b is None else b
    return a + b


def contraction(macs: int, out: Shape, *, bias: bool = False, operand: Shape | None = None) -> Cost:
    """The cost of a matrix product, a convolution or a kernel built of them.

    Args:
        macs: multiply-accumulates of two numbers, real or complex.
        out: the result, whose elements all count as activations.
        bias: True if one number is added to each element of the result.
        operand: the tensor whose dtype says if the product is complex; `out` if not given. A
            complex MAC is 4 real ones.
    """
    factor = 4 if (operand if operand is not None else out).is_complex else 1
    return Cost(macs=macs * factor, arithmetic=out.numel if bias else 0, activations=out.numel)

"""What one operator call costs, and the shapes a rule computes it from. Imports nothing but the standard library."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import prod
from typing import Any

_ITEMSIZE = {
    "complex32": 4, "complex64": 8, "complex128": 16,
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1,
    "qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1,
}  # fmt: skip


def itemsize(dtype: str) -> int:
    """Bytes of one element of the torch dtype called `dtype` (without ``torch.``); sub-byte and 8-bit floats count one."""
    return _ITEMSIZE.get(dtype, 1)


class Shape(tuple[int, ...]):
    """A tensor as a rule sees it: a tuple of ints with a dtype name, and for sparse and nested layouts what they store.

    A call of which a size is not known (-1: it depends on data that fake tensors do not have) is not shown to a rule.

    Attributes:
        dtype: torch's name without the prefix, ``"float32"``.
        layout: ``"strided"``, ``"sparse_coo"``, ``"sparse_csr"``, ``"nested"`` …
        lengths: the sizes of each item of a nested tensor, else ``()``.
    """

    dtype: str
    layout: str = "strided"
    lengths: tuple[tuple[int, ...], ...] = ()
    _nnz: int | None = None

    def __new__(
        cls,
        sizes: Iterable[int] = (),
        dtype: str = "float32",
        layout: str = "strided",
        nnz: int | None = None,
        lengths: tuple[tuple[int, ...], ...] = (),
    ) -> Shape:
        """See the class; `nnz` is for sparse layouts, `lengths` for nested ones."""
        self = super().__new__(cls, sizes)
        self.dtype = dtype
        if (
            layout != "strided"
        ):  # the defaults are the class's: a block makes thousands of dense shapes
            self.layout, self.lengths, self._nnz = layout, lengths, nnz
        return self

    @property
    def nnz(self) -> int:
        """Stored elements of a sparse tensor (blocks times block size); all of a dense one."""
        return prod(self) if self._nnz is None else self._nnz

    @property
    def numel(self) -> int:
        """Elements that are stored: all of a dense tensor, the non-zeros of a sparse one, the real lengths of a nested one."""
        if self.lengths:
            return sum(prod(item) for item in self.lengths)
        return self.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of the stored values (index structures of sparse layouts are not counted)."""
        return self.numel * itemsize(self.dtype)

    @property
    def is_complex(self) -> bool:
        """Whether an element is two real numbers."""
        return self.dtype.startswith("complex")

    def __repr__(self) -> str:
        return f"{self.dtype}[{', '.join('?' if size < 0 else str(size) for size in self)}]" + (
            "" if self.layout == "strided" else f" {self.layout} nnz={self.nnz}"
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of an operator does. All counts are exact integers unless `estimate` is set.

    Attributes:
        macs: multiply-accumulates of a contraction (matrix product, convolution, attention, recurrent cell, bilinear form);
            a complex one counts 4.
        arithmetic: every other add, multiply, compare, min or max, per element.
        transcendentals: exp, log, tanh, erf, sqrt, pow, sin …, per element.
        activations: elements handed on by convolutions, matrix products and the kernels built of them (fvcore's definition).
        fvcore: what fvcore's formula adds to the MACs for norms, upsampling, adaptive average pooling and grid sampling.
        bytes_read, bytes_written: element size times elements of operands and results; None lets the caller derive both
            from the shapes of the call (every operand read once, every result written once).
        estimate: the counts are a published estimate (iterative or data-dependent algorithms), not exact.
    """

    macs: int = 0
    arithmetic: int = 0
    transcendentals: int = 0
    activations: int = 0
    fvcore: int = 0
    bytes_read: int | None = None
    bytes_written: int | None = None
    estimate: bool = False

    def __add__(self, other: Cost) -> Cost:
        """Two calls one after the other; unset bytes stay unset only if they are unset on both sides."""
        return Cost(
            self.macs + other.macs,
            self.arithmetic + other.arithmetic,
            self.transcendentals + other.transcendentals,
            self.activations + other.activations,
            self.fvcore + other.fvcore,
            _add(self.bytes_read, other.bytes_read),
            _add(self.bytes_written, other.bytes_written),
            self.estimate or other.estimate,
        )

    def __mul__(self, times: int) -> Cost:
        """The same call, `times` over."""
        return Cost(
            self.macs * times,
            self.arithmetic * times,
            self.transcendentals * times,
            self.activations * times,
            self.fvcore * times,
            None if self.bytes_read is None else self.bytes_read * times,
            None if self.bytes_written is None else self.bytes_written * times,
            self.estimate,
        )

    __rmul__ = __mul__


COUNTS = tuple(f.name for f in fields(Cost) if f.name != "estimate")
"""The names of the integer fields of `Cost`, in order."""


def _add(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return a if b is None else b
    return a + b


def shapes(value: Any) -> list[Shape]:
    """Every `Shape` inside a (nested) argument list or result, in order."""
    if isinstance(value, Shape):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [shape for item in value for shape in shapes(item)]


def numel(value: Any) -> int:
    """Stored elements over every `Shape` inside `value`."""
    return sum(shape.numel for shape in shapes(value))


def nbytes(value: Any) -> int:
    """Bytes over every `Shape` inside `value`."""
    return sum(shape.nbytes for shape in shapes(value))


def contraction(macs: int, out: Shape, *, bias: bool = False, operand: Shape | None = None) -> Cost:
    """The cost of a matrix product, convolution or a kernel built of them that writes `out`.

    A complex MAC is 4 real ones (`operand` or `out` says which), a bias one add per output element.
    """
    factor = 4 if (operand if operand is not None else out).is_complex else 1
    return Cost(macs=macs * factor, arithmetic=out.numel if bias else 0, activations=out.numel)

"""Tensors as rules see them. This file imports nothing but the standard library."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TypeAlias

Operand: TypeAlias = object
"""An argument or a result of an operator, as a rule gets it.

It is a `Shape` for a tensor; else a number, a string, None, or a list of such. A dtype or a device
is None, and so is a float for rules of this package, but for those that read an exponent. A rule
that reads an operand says what type it expects; those annotated with `Operand` are not read, or
only searched for shapes.
"""

_ITEMSIZE = {
    "complex32": 4, "complex64": 8, "complex128": 16, "bcomplex32": 4,
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "bool": 1,
    "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "bits16": 2,
    "qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1,
}  # fmt: skip


def itemsize(dtype: str) -> int:
    """Bytes of one element of the torch dtype called `dtype`, without the prefix ``torch.``.

    A type that is not in the table counts one byte: the 8-bit floats, which are one byte, and the
    types below one byte, which torch stores in bytes.
    """
    return _ITEMSIZE.get(dtype, 1)


class Shape(tuple[int, ...]):
    """A tensor as a rule sees it: a tuple of sizes that also knows its dtype and its layout.

    A size of -1 is not known, because it depends on data that fake tensors do not have. A rule
    never sees one: a call with such a shape is reported as unknown instead.

    Example:
        >>> a = Shape((8, 3, 224, 224), "float16")
        >>> batch, channels, height, width = a
        >>> a.numel, a.nbytes
        (1204224, 2408448)

    Attributes:
        dtype: torch's name without the prefix, ``"float32"``.
        layout: ``"strided"``, ``"sparse_coo"``, ``"sparse_csr"``, ``"nested"`` …
        lengths: the sizes of each item of a nested tensor; ``()`` for any other.
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
        """Make a shape; `nnz` is for sparse layouts, `lengths` for nested ones, see the class."""
        self = super().__new__(cls, sizes)
        self.dtype = dtype
        # A dense shape keeps the class's defaults: a block makes thousands of them.
        if layout != "strided":
            self.layout, self.lengths, self._nnz = layout, lengths, nnz
        return self

    @property
    def nnz(self) -> int:
        """Stored elements: all of a dense tensor, blocks times block size of a sparse one."""
        return prod(self) if self._nnz is None else self._nnz

    @property
    def numel(self) -> int:
        """Stored elements as in `nnz`; of a nested tensor the sum over its items."""
        if self.lengths:
            return sum(prod(item) for item in self.lengths)
        return self.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of the stored values. The index structures of sparse layouts are not counted."""
        return self.numel * itemsize(self.dtype)

    @property
    def is_complex(self) -> bool:
        """True if an element is two real numbers."""
        return "complex" in self.dtype  # bcomplex32 is two bfloat16

    def __repr__(self) -> str:
        return f"{self.dtype}[{', '.join('?' if size < 0 else str(size) for size in self)}]" + (
            "" if self.layout == "strided" else f" {self.layout} nnz={self.nnz}"
        )


def shapes(value: Operand) -> list[Shape]:
    """Every `Shape` inside a (nested) argument list or result, in order."""
    if isinstance(value, Shape):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [shape for item in value for shape in shapes(item)]


def numel(value: Operand) -> int:
    """Stored elements over every `Shape` inside `value`."""
    return sum(shape.numel for shape in shapes(value))


def nbytes(value: Operand) -> int:
    """Bytes over every `Shape` inside `value`."""
    return sum(shape.nbytes for shape in shapes(value))

"""Operands as TorchScript shows them to handles, made from the arguments of a call.

They hold shapes and constants, and no tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from dispatchcount.capture.key import shape_of
from dispatchcount.rules.core.shape import Shape

_SCALARS = {
    "float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16",
    "complex32": "ComplexHalf", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "bool": "Bool",
}  # fmt: skip
_KINDS = {
    type(None): "NoneType",
    bool: "BoolType",
    int: "IntType",
    float: "FloatType",
    complex: "ComplexType",
    str: "StringType",
}
_CONSTANTS = (*_KINDS, torch.dtype, torch.device, torch.layout, torch.memory_format)


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a `Value`, as `torch._C.Type` answers for it."""

    _kind: str
    _sizes: tuple[int, ...] | None = None
    _dtype: str = ""

    def kind(self) -> str:
        """``"TensorType"``, ``"ListType"``, ``"IntType"`` …"""
        return self._kind

    def sizes(self) -> list[int] | None:
        """A tensor's sizes; None for anything else."""
        return None if self._sizes is None else list(self._sizes)

    def dim(self) -> int | None:
        """How many sizes there are."""
        return None if self._sizes is None else len(self._sizes)

    def scalarType(self) -> str | None:  # noqa: N802
        """``"Float"``, ``"Long"`` … for a tensor."""
        return _SCALARS.get(self._dtype, self._dtype) if self._dtype else None

    def dtype(self) -> torch.dtype | None:
        """A tensor's dtype."""
        return getattr(torch, self._dtype, None) if self._dtype else None

    def __str__(self) -> str:
        return (
            f"{self.scalarType()}({', '.join(map(repr, self._sizes))})"
            if self._sizes is not None
            else self._kind
        )

    def str(self) -> str:
        """As text, ``"Float(1, 3)"``."""
        return f"{self}"


@dataclass(frozen=True, slots=True)
class Value:
    """An operand or a result, as `torch._C.Value` answers for it.

    Attributes:
        kind: the kind of its type, ``"TensorType"``.
        sizes: a tensor's sizes, else None.
        dtype: a tensor's dtype, ``"float32"``.
        constant: a plain value.
        items: what a list or tuple holds.
    """

    kind: str
    sizes: tuple[int, ...] | None = None
    dtype: str = ""
    constant: Any = None
    items: tuple[Value, ...] | None = None

    @staticmethod
    def of(value: Any) -> Value:
        """The value that stands for an argument.

        A tensor (or a `Shape`) is kept as its sizes and dtype, a list as its items, and anything
        else as it is.
        """
        if isinstance(value, torch.Tensor):
            if is_lazy(value):
                return Value("TensorType")
            value = shape_of(value)
        if isinstance(value, Shape):
            return Value("TensorType", tuple(value), value.dtype)
        if isinstance(value, list | tuple):
            return Value("ListType", items=tuple(map(Value.of, value)))
        if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
            return Value("SymType", constant=str(value))
        return Value(
            _KINDS.get(type(value), "AnyType"),
            constant=value if isinstance(value, _CONSTANTS) else None,
        )

    def unsqueezed(self) -> Value:
        """A tensor with a batch of one in front."""
        return self if self.sizes is None else Value(self.kind, (1, *self.sizes), self.dtype)

    def isCompleteTensor(self) -> bool:  # noqa: N802
        """True if it is a tensor."""
        return self.sizes is not None

    def type(self) -> Type:
        """Its type."""
        return Type(self.kind, self.sizes, self.dtype)

    def toIValue(self) -> Any:  # noqa: N802
        """The constant that it is, a list of them for a list; None for a tensor."""
        return [item.toIValue() for item in self.items] if self.items is not None else self.constant

    def node(self) -> Maker:
        """What made it: for a list, the node whose `inputs()` are its items."""
        return Maker(self)

    def debugName(self) -> str:  # noqa: N802
        """Values have no names; their text stands in."""
        return repr(self)


@dataclass(frozen=True, slots=True)
class Maker:
    """The node that made a value, as far as handles ask."""

    _value: Value

    def kind(self) -> str:
        """The node's kind.

        It is ``"prim::ListConstruct"`` for a list, ``"prim::Param"`` for a tensor, and
        ``"prim::Constant"`` for anything else.
        """
        if self._value.items is not None:
            return "prim::ListConstruct"
        return "prim::Param" if self._value.sizes is not None else "prim::Constant"

    def inputs(self) -> list[Value]:
        """A list's items."""
        return list(self._value.items or ())

    def output(self) -> Value:
        """The value."""
        return self._value


def results(out: Any) -> tuple[Value, ...]:
    """The outputs of an operator that returned `out`."""
    return tuple(map(Value.of, out)) if isinstance(out, tuple) else (Value.of(out),)


def get_shape(val: Any) -> list[int] | None:
    """The sizes of an operand that a handle is given; None if it is not a tensor."""
    return val.type().sizes() if val.isCompleteTensor() else None


Handle = Callable[[list[Any], list[Any]], Any]
"""Takes an operator's inputs and outputs, and returns a number or numbers by operator."""

"""Puts a call's arguments in the order of the operator's schema, defaults filled in.

Torch can do that as well, but it prints every tensor on its way to an error message, and printing
runs operators.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

_NUMBER = int | float | complex
_SCALARS: dict[str, Any] = {
    "Tensor": torch.Tensor,
    "int": int | torch.SymInt | torch.dtype | torch.layout | torch.memory_format,
    "float": int | float | torch.SymFloat,
    "complex": _NUMBER,
    "number": _NUMBER | torch.SymInt | torch.SymFloat,
    "bool": bool,
    "str": str,
}


class Schema:
    """One overload: its arguments, and how many of them may be given by position."""

    def __init__(self, schema: Any) -> None:
        self.arguments = schema.arguments
        self.kinds = {a.name: str(a.type) for a in schema.arguments}
        self.positional = sum(not a.kwarg_only for a in schema.arguments)

    def bind(self, args: Any, kwargs: Any) -> dict[str, Any] | None:
        """The arguments by name in order; None if this overload does not take them."""
        last = self.positional - 1
        if len(args) > self.positional > 1 and str(self.arguments[last].type) == "List[int]":
            args = (*args[:last], args[last:])  # x.view(2, 3) means x.view((2, 3))
        named = dict(zip(self.kinds, args, strict=False)) | kwargs
        if len(args) > self.positional or not named.keys() <= self.kinds.keys():
            return None
        for a in self.arguments:
            if not (
                _fits(named[a.name], self.kinds[a.name])
                if a.name in named
                else a.has_default_value()
            ):
                return None
        return {a.name: _spread(named.get(a.name, a.default_value), a) for a in self.arguments}


@cache
def schemas(kind: str) -> tuple[Schema, ...]:
    """The overloads of an operator, ``"aten::add"``."""
    return tuple(map(Schema, torch._C._jit_get_schemas_for_operator(kind)))


def bind(kind: str, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name, in the order of the schema.

    They are returned as they came if no schema allows the call.
    """
    for schema in schemas(kind):
        bound = schema.bind(args, kwargs)
        if bound is None:
            # A Python function may have more arguments than the operator it stands for.
            bound = schema.bind(
                args[: schema.positional], {k: v for k, v in kwargs.items() if k in schema.kinds}
            )
        if bound is not None:
            return bound
    return {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}


def _spread(value: Any, argument: Any) -> Any:
    """The list that one number stands for, where the schema has a list of known length."""
    if isinstance(value, int) and "List[int]" in str(argument.type) and argument.N:
        return [value] * argument.N
    return value


def _fits(value: Any, kind: str) -> bool:
    if kind.startswith("Optional["):
        return value is None or _fits(value, kind[9:-1])
    if kind.startswith("List["):
        inner = kind[5:-1]
        if not isinstance(value, list | tuple):
            return inner == "int" and _fits(value, inner)
        return all(_fits(item, inner) for item in value)
    if kind == "int" and isinstance(value, bool):
        return False
    return kind not in _SCALARS or isinstance(value, _SCALARS[kind])

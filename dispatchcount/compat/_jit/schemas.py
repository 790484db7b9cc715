"""Puts a call's arguments in the order of the operator's schema, defaults filled in.

Torch can do that as well, but prints every tensor on its way to an error message, which runs operators.
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
    """One overload: its arguments' names, types and defaults, and how many may be given by position."""

    def __init__(self, schema: Any) -> None:
        self.arguments = [(a.name, str(a.type), a.default_value, a.has_default_value()) for a in schema.arguments]
        self.positional = sum(not a.kwarg_only for a in schema.arguments)

    def bind(self, args: Any, kwargs: Any) -> dict[str, Any] | None:
        """The arguments by name in order; None if they are none of this overload's."""
        last = self.positional - 1
        if len(args) > self.positional > 1 and self.arguments[last][1] == "List[int]":  # x.view(2, 3) means x.view((2, 3))
            args = (*args[:last], args[last:])
        names = [name for name, *_ in self.arguments]
        named = dict(zip(names, args, strict=False)) | kwargs
        if len(args) > self.positional or not named.keys() <= set(names):
            return None
        for name, kind, _, optional in self.arguments:
            if not (_fits(named[name], kind) if name in named else optional):
                return None
        return {name: named.get(name, default) for name, _, default, _ in self.arguments}


@cache
def schemas(kind: str) -> tuple[Schema, ...]:
    """The overloads of an operator, ``"aten::add"``."""
    return tuple(map(Schema, torch._C._jit_get_schemas_for_operator(kind)))


def bind(kind: str, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name in the schema's order; as they came if Python calls it in a way that no schema knows."""
    for schema in schemas(kind):
        bound = schema.bind(args, kwargs)
        if bound is not None:
            return bound
    return {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}


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

"""What is kept of an operator call: a hashable key, from which alone what a rule is shown is read.

A key holds a *part* for each argument and for the result. Because `shown` is the only way from a
call to a rule, and it reads nothing but the key, two calls that a rule could tell apart cannot have
equal keys: no call is ever costed as another one that happened to run before it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from dispatchcount.capture.facts import PLAIN, Facts, facts_of, hint
from dispatchcount.capture.torch_private import FakeTensor, tree_leaves
from dispatchcount.rules.core.shape import Shape

if TYPE_CHECKING:
    from dispatchcount.capture.plan import Plan

_TENSOR = torch.Tensor
_SIZE = torch.Size
_STRIDED = torch.strided
_PARAMETER = torch.nn.Parameter

WORDS = frozenset((int, bool, str, type(None), torch.dtype))
"""Types of arguments by whose values sizes and algorithms are chosen."""

NUMBERS = frozenset((int, bool, float))
"""Types of arguments that are numbers to compute with, such as an exponent."""

FOR_USERS = WORDS | NUMBERS
"""Types of arguments that the rule of a user is shown the values of.

Nobody knows by which of them a user's kernel chooses its work: a capacity factor is a float.
"""

_SCALARS = WORDS | NUMBERS | {complex, torch.device, torch.layout, torch.memory_format}
"""Types of arguments that are no tensors.

A key holds the value of those that its operator's plan keeps, else the type.
"""

Part = Any
"""What a key holds of one argument or result: a hashable. See `part_of`."""


class Named(tuple[tuple[str, Part], ...]):
    """The part of a dict: pairs of name and part."""

    __slots__ = ()


def short_key(
    plan: Plan, args: Any, kwargs: Any, out: Any, parameters: set[int]
) -> tuple[Part, ...]:
    """The key of a call whose operands are plain tensors and scalars.

    It holds the plan, something of the result, and the operands in a row. Of the result it holds
    only what does not follow from the operands. That is the dtype; or, where there are several
    results, the device; or all of the result, as the last item of the row. Operands that were given
    by name follow as one `Named`.

    Most calls of most operators have one or two plain tensors and nothing else. This runs for every
    operator, so those cases are written out.

    Args:
        plan: of the operator.
        args: the operands given by position.
        kwargs: the operands given by name, if any.
        out: the result.
        parameters: gets the ids of module parameters among the operands, which are met here anyway.

    Raises:
        AttributeError, IndexError, TypeError: something else is among them (a sparse tensor, a
            subclass, a packed weight), or a size is symbolic, which shows when the key is hashed.
        RuntimeError: a tensor has no plain sizes (strided nested tensors).
    """
    settled: Any
    if plan.settled:
        settled = out.dtype
    elif plan.settled_by_device:
        settled = args[0].device
    else:
        settled = None
        args = (*args, out)
    if kwargs:
        return (*_row(args, plan.kept, parameters, [plan, settled]), _named(kwargs, plan.kept))
    if len(args) == 2:
        first, second = args
        kind = type(second)
        if (
            type(first) is _TENSOR
            and (kind is _TENSOR or kind is _PARAMETER)
            and first.layout is _STRIDED
            and second.layout is _STRIDED
        ):
            if kind is _PARAMETER:
                parameters.add(id(second))
            return plan, settled, first.shape, first.dtype, second.shape, second.dtype
    elif len(args) == 1:
        (first,) = args
        if type(first) is _TENSOR and first.layout is _STRIDED:
            return plan, settled, first.shape, first.dtype
    return _row(args, plan.kept, parameters, [plan, settled])


def _named(kwargs: dict[str, Any], kept: frozenset[type]) -> Named:
    """The part of scalars given by name."""
    parts = []
    for name, value in kwargs.items():
        kind = type(value)
        if kind in kept:
            parts.append((name, value))
        elif kind in _SCALARS:
            parts.append((name, kind))
        else:
            raise TypeError(f"a {kind.__name__} given by name has no short part")
    return Named(parts)


def shown_of(
    key: tuple[Part, ...], kwargs: Any, out: Any
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """What a rule sees of a call with a short key.

    Returns its operands by position, its operands by name, and its result.
    """
    seen = list(shown_flat(key[2:]))
    named = seen.pop() if kwargs else {}
    result = seen.pop() if key[1] is None else describe(out)
    return tuple(seen), named, result


def _row(
    args: Any, kept: frozenset[type], parameters: set[int], parts: list[Part]
) -> tuple[Part, ...]:
    """The parts of arguments in a row, after `parts`.

    A plain dense tensor takes two items of the row: its sizes and its dtype.
    """
    for arg in args:
        kind = type(arg)
        if kind is _TENSOR and arg.layout is _STRIDED:
            parts.append(arg.shape)
            parts.append(arg.dtype)
        elif kind is _PARAMETER and arg.layout is _STRIDED:
            parameters.add(id(arg))
            parts.append(arg.shape)
            parts.append(arg.dtype)
        elif kind is list or kind is tuple:
            parts.append(
                tuple(arg) if arg and type(arg[0]) is int else _row(arg, kept, parameters, [])
            )
        elif kind in kept:
            parts.append(arg)
        elif kind in _SCALARS:
            parts.append(kind)
        else:
            raise TypeError(f"a {kind.__name__} has no short part")
    return tuple(parts)


def part_of(value: Any, kept: frozenset[type] = WORDS) -> Part:
    """The part of one argument or result, always hashable.

    Args:
        value: a tensor, a scalar, a packed quantized weight, or lists, tuples and dicts of such.
        kept: the types of scalars whose values can matter.
    """
    kind = type(value)
    if kind in kept:
        return value
    if kind in _SCALARS:
        return kind
    if isinstance(value, _TENSOR):
        return facts_of(value)
    if isinstance(value, list | tuple):
        return tuple([part_of(item, kept) for item in value])
    if isinstance(value, dict):
        return Named([(str(name), part_of(item, kept)) for name, item in value.items()])
    if kind is torch.SymInt:
        return hint(value) if int in kept else int
    return packed_part(value) if kind is torch.ScriptObject else None


def is_dense(value: Any) -> bool:
    """True for a plain dense tensor, of which sizes and dtype say all that a rule can be told."""
    return type(value) in PLAIN and value.layout is _STRIDED and not value.is_nested


def shown(part: Part) -> Any:
    """What a rule sees of an argument.

    That is a `Shape` for a tensor, a scalar as it is, and None for anything else.
    """
    kind = type(part)
    if kind is Facts:
        sizes, dtype, *rest = part
        return Shape(sizes, _dtype_name(dtype), *rest)
    if kind is tuple:
        return shown_flat(part)
    if kind is Named:
        return {name: shown(item) for name, item in part}
    return None if kind is torch.dtype or kind is type else part


def shown_flat(parts: tuple[Part, ...]) -> tuple[Any, ...]:
    """What a rule sees of arguments whose parts are in a row."""
    items = iter(parts)
    # The sizes of a plain dense tensor are followed by its dtype.
    return tuple(
        [
            Shape(item, _dtype_name(next(items))) if type(item) is _SIZE else shown(item)
            for item in items
        ]
    )


def describe(value: Any) -> Any:
    """What a rule sees of an argument or result that has no key: see `shown`."""
    return shown(part_of(value))


def shape_of(tensor: torch.Tensor) -> Shape:
    """A tensor's `Shape`."""
    shape: Shape = shown(facts_of(tensor))
    return shape


@cache
def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def packed_part(value: torch.ScriptObject) -> Part:
    """The parts of the weights that a torchbind object holds packed; None for any other object.

    Unpacking copies the weights, so the parts of some objects are remembered, by address, until
    `forget_packed` at the latest. The object is kept as long, or its address could become
    another's.
    """
    address = hash(value)
    if address not in _PACKED:
        if len(_PACKED) >= MAX_PACKED:
            _PACKED.clear()
        try:
            _PACKED[address] = value, part_of(unpacked(value))
        except (RuntimeError, AttributeError):
            _PACKED[address] = value, None
    return _PACKED[address][1]


def unpacked(value: torch.ScriptObject) -> Any:
    """Weight and bias that a torchbind object holds; of a recurrent cell those of its two layers.

    Raises:
        AttributeError: it holds no weights, or they cannot be unpacked.
    """
    if hasattr(value, "unpack") or not value._type().qualified_name().endswith(_CELL):
        return value.unpack()
    layers = [leaf for leaf in tree_leaves(value.__getstate__()) if type(leaf) is type(value)]
    return [layer.unpack() for layer in layers]


_CELL = "rnn.CellParamsBase"

MAX_PACKED = 256
"""Packed objects remembered at once; layers may be made anew in every call."""

_PACKED: dict[int, tuple[torch.ScriptObject, Part]] = {}


def forget_packed() -> None:
    """Let go of the packed objects that a block met."""
    _PACKED.clear()


def contents(value: Any) -> Part:
    """The integers that an index tensor holds, as a tuple.

    For anything else, it is what `part_of` gives.

    Reading them waits for an accelerator; only operators over packed sequences ask for it.
    """
    if (
        not isinstance(value, _TENSOR)
        or value.is_meta
        or isinstance(value, FakeTensor)
        or value.dtype not in _INTEGERS
    ):
        return part_of(value)
    return tuple(value.flatten().tolist())


_INTEGERS = {torch.int32, torch.int64}

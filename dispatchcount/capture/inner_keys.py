"""Kernels that call other operators, and the dispatch keys under which they must run.

Most kernels compute their result by themselves. Some call operators in turn: ``linalg.pinv`` calls
``matmul``, and a custom operator's Python function whatever its author wrote. In an ordinary run
autocast casts the operands of those calls too, and a conjugate view among them is resolved. But
before torch calls a mode, it switches off all dispatch keys that stand above modes, and they stay
off while the mode runs the operator. The calls inside are then not cast, and a conjugate view is
taken for the tensor that it is a view of: under any mode ``torch.linalg.pinv`` of a complex matrix
is another matrix, and a custom operator under autocast has another dtype.

So such an operator is run with the keys switched on again that would be on for the calls inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatchcount.capture.torch_private import (
    DispatchKey,
    DispatchKeySet,
    KeysForced,
    KeysOfCaller,
    OpOverload,
    excluded_keys,
    has_kernel,
    has_kernel_at,
    included_keys,
    key_named,
)

_ALWAYS = ("Conjugate", "Negative", "ZeroTensor")
"""Keys of lazy tensors. An operator's own operands have been resolved when a mode sees them."""

_AUTOCAST = tuple(name for name in dir(DispatchKey) if name.startswith("Autocast"))

_AUTOGRAD = ("ADInplaceOrView", *(k for k in dir(DispatchKey) if k.startswith("Autograd")))

_FAMILY = "linalg"
"""The rules' family of linear algebra, whose kernels call products and take conjugates."""

_CALLED_AS = {
    "aten::linalg_pinv.atol_rtol_tensor": "aten::linalg_pinv",
    "aten::linalg_polar": "aten::linalg_polar",
    "aten::_trilinear": "aten::bilinear",
}
"""Operators of torch's own whose kernels call others that autocast casts, and what users call.

It is a list because a mode cannot see if a composite with a kernel for autocast, which switches
autocast off, is what has called an operator. A test compares all of torch's operators.
"""


def calls_others(func: OpOverload, family: str) -> bool:
    """True if an operator's kernel may call operators for which it matters which keys are on.

    Args:
        func: the operator. Any of a library besides torch's own may.
        family: the family of its rule, "" if it has none.
    """
    name = func.name()
    return has_kernel(name) and (
        func.namespace != "aten" or family == _FAMILY or name in _CALLED_AS
    )


def keys_inside(func: OpOverload) -> DispatchKeySet:
    """The keys that are on for what an operator's kernel calls, if its caller has them on.

    Autocast is, unless the operator has a kernel for autocast, which casts the operands and
    switches it off. Autograd is, if an operator of another library has no kernel for it: gradients
    then come from what its kernel calls.
    """
    name = func.name()
    keys = list(_ALWAYS)
    if func.namespace != "aten" or name in _CALLED_AS:
        called = {name, _CALLED_AS.get(name, name)}
        keys += [key for key in _AUTOCAST if not any(_has(one, key) for one in called)]
    if func.namespace != "aten" and not any(_has(name, key) for key in _AUTOGRAD):
        keys += _AUTOGRAD
    inside = DispatchKeySet(DispatchKey.Undefined)
    for key in keys:
        if (known := key_named(key)) is not None:
            inside = inside.add(known)
    return inside


@contextmanager
def switched_on(inside: Any) -> Iterator[None]:
    """Switch keys on again that the mode's caller has on. It is used while a mode is at work."""
    with KeysOfCaller():
        off = excluded_keys()
    with KeysForced(included_keys(), excluded_keys() - (inside - off)):
        yield


def _has(name: str, key: str) -> bool:
    """True if the operator has a kernel under that very key, which torch may not know at all."""
    return key_named(key) is not None and has_kernel_at(name, key)

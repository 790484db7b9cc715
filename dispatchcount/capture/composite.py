"""Which operators torch runs as other operators, and by which kernel.

Some operators have no kernel for a device: torch runs them as a few others, ``matmul`` as ``mm``
or ``bmm``. Outside inference mode the dispatcher does so at its autograd keys, before any mode sees
the call. Under inference mode there are no such keys, so a mode is handed the composite whole and
has to find out itself what would have run. This file asks the dispatcher's own table of kernels,
with the dispatcher's own rules, for the operands of one call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import (
    MKLDNN,
    DispatchKey,
    DispatchKeySet,
    backend_named,
    backends_of,
    has_kernel,
    has_kernel_at,
    has_kernel_at_any,
    key_named,
)

Kind = tuple[str, torch.layout, bool, bool]
"""What decides a tensor's dispatch keys: device type, layout, is it quantized, is it nested."""

Kinds = frozenset[Kind]
"""The kinds of all tensors that a call is given."""

_IMPLICIT = "CompositeImplicitAutograd"
_NESTED = "CompositeImplicitAutogradNestedTensor"
_EXPLICIT = ("CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")
_BACKENDS = ("CPU", "CUDA", "MPS", "XPU")

_PREFIXES = {
    torch.sparse_coo: "Sparse",
    **dict.fromkeys(
        (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc), "SparseCsr"
    ),
    MKLDNN: "Mkldnn",
}
"""What the backend key of a layout begins with: ``SparseCPU``."""


class Composite(NamedTuple):
    """How torch runs an operator as others, for operands of some kinds.

    Attributes:
        kernel: the key of the kernel that calls the others.
        done: the keys whose kernels ran before a mode saw the call, and which stay off for all that
            the call runs. These are autocast, which has cast the operands, and the tracking of
            views (for ``chunk``, say), which goes on when the operator returns.
    """

    kernel: DispatchKey
    done: DispatchKeySet


def kinds_of(*values: Any) -> Kinds:
    """The kinds of the tensors among the arguments of a call."""
    return frozenset(
        (t.device.type, t.layout, t.is_quantized, t.is_nested) for t in tensors_in(values)
    )


def is_composite(name: str) -> bool:
    """True if torch has a kernel that runs the operator as others, for some operands at least."""
    return has_kernel(name) and (_has(name, _IMPLICIT) or _has(name, _NESTED))


def composite(name: str, kinds: Kinds) -> Composite | None:
    """How torch runs `name` as other operators, given operands of these kinds.

    Returns:
        None if torch runs the operator whole.
    """
    kernel = composite_kernel(name, kinds)
    if kernel is None:
        return None
    before = {"ADInplaceOrView", *(f"Autocast{backend_named(device)}" for device, *_ in kinds)}
    done = DispatchKeySet(DispatchKey.Undefined)
    for key in before:
        if _has(name, key):
            done = done.add(key_named(key))
    return Composite(kernel, done)


def runs_as_parts(name: str) -> bool:
    """True if torch runs the operator as others on every device.

    ``silu_backward`` can be run as others, but has kernels on CPU and CUDA: False.
    """
    return has_kernel(name) and composite_kernel(name, frozenset()) is not None


def composite_kernel(name: str, kinds: Kinds) -> DispatchKey | None:
    """The key of the kernel by which torch runs `name` as other operators.

    The run must be what it is without a profiler, so the answer takes after both ways in which the
    dispatcher finds a kernel: outside inference mode, where one for the operands' device comes
    first, and inside it, where one for their layout does.

    Args:
        name: the operator.
        kinds: the kinds of its operands. Without any, no backend at all may have a kernel.

    Returns:
        None if torch runs the operator whole.
    """
    # 1. A kernel for the operands' own keys comes before any composite.
    keys = [_keys(kind) for kind in kinds]
    registered = [key for pair in keys for key in pair] if keys else _BACKENDS
    if any(_has(name, key) for key in registered):
        return None
    # 2. Nested tensors have composites of their own.
    if any(nested for *_, nested in kinds) and _has(name, _NESTED):
        return DispatchKey.CompositeImplicitAutogradNestedTensor
    # 3. At an autograd key the dispatcher passes over the composite if some kernel computes the
    #    operator on every backend, or on one of the backends that this key serves.
    if any(_has(name, key) for key in _EXPLICIT):
        return None
    served = (backends_of(key_named(autograd)) for autograd, _ in keys)
    if any(has_kernel_at_any(name, backends) for backends in served):
        return None
    # 4. What is left is run as others if it can be.
    return DispatchKey.CompositeImplicitAutograd if _has(name, _IMPLICIT) else None


def _keys(kind: Kind) -> tuple[str, str]:
    """The names of a tensor's autograd key and backend key."""
    device, layout, quantized, nested = kind
    backend = backend_named(device)
    if nested:
        return "AutogradNestedTensor", f"NestedTensor{backend}"
    prefix = "Quantized" if quantized else _PREFIXES.get(layout, "")
    autograd = f"Autograd{backend}"
    if prefix == "Mkldnn" or key_named(autograd) is None:
        autograd = "AutogradOther"  # backends without an autograd key of their own share this one
    return autograd, f"{prefix}{backend}"


def _has(name: str, key: str) -> bool:
    """True if a kernel is registered under that very key.

    None is registered under a key that torch does not have, such as ``MkldnnCUDA``.
    """
    return key_named(key) is not None and has_kernel_at(name, key)

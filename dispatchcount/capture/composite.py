"""Which operators torch runs as others, and by which kernel: the dispatcher's rules, asked for the operands of one call.

Outside inference mode the dispatcher settles that at its autograd keys, before any mode sees the call. Under inference mode
there are none, so a mode is handed the composite whole and has to find out itself what would have run.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch._C import DispatchKey, DispatchKeySet

from dispatchcount.capture.key import tensors_in

Kind = tuple[str, torch.layout, bool, bool]
"""What settles a tensor's dispatch keys: its device type and layout, and whether it is quantized and nested."""

Kinds = frozenset[Kind]

_IMPLICIT = "CompositeImplicitAutograd"
_NESTED = "CompositeImplicitAutogradNestedTensor"
_EXPLICIT = ("CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")
_BACKENDS = ("CPU", "CUDA", "MPS", "XPU")

_PREFIXES = {
    torch.sparse_coo: "Sparse",
    **dict.fromkeys(
        (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc), "SparseCsr"
    ),
    torch._mkldnn: "Mkldnn",
}


class Composite(NamedTuple):
    """How torch runs an operator as others, for operands of some kinds.

    Attributes:
        kernel: the key of the kernel that calls the others.
        done: keys whose kernel ran before a mode saw the call and keeps itself off for all that it calls: autocast, which has
            cast the operands, and the tracking of views (``chunk``), which goes on when the operator returns.
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
    return _known(name) and (_has(name, _IMPLICIT) or _has(name, _NESTED))


def composite(name: str, kinds: Kinds) -> Composite | None:
    """How torch runs `name` as other operators, given operands of these kinds; None if it runs whole."""
    kernel = composite_kernel(name, kinds)
    if kernel is None:
        return None
    before = {
        "ADInplaceOrView",
        *(f"Autocast{torch._C._dispatch_key_for_device(device)}" for device, *_ in kinds),
    }
    done = DispatchKeySet(DispatchKey.Undefined)
    for key in before:
        if _has(name, key):
            done = done.add(_parsed(key))
    return Composite(kernel, done)


def runs_as_parts(name: str) -> bool:
    """True if torch runs the operator as others, on every device: ``silu_backward`` can, and has kernels on CPU and CUDA."""
    return _known(name) and composite_kernel(name, frozenset()) is not None


def composite_kernel(name: str, kinds: Kinds) -> DispatchKey | None:
    """The key of the kernel by which torch runs `name` as other operators, given operands of these kinds.

    None if it runs whole, outside inference mode (where a kernel for the operands' device comes first) or in it (where one for
    their layout does): the run must stay what it is without a profiler. Without operands, no backend may have a kernel.
    """
    keys = [_keys(kind) for kind in kinds]
    registered = [key for pair in keys for key in pair] if keys else _BACKENDS
    if any(_has(name, key) for key in registered):
        return None
    if any(kind[3] for kind in kinds) and _has(name, _NESTED):
        return DispatchKey.CompositeImplicitAutogradNestedTensor
    served = (
        torch._C._dispatch_get_backend_keyset_from_autograd(_parsed(autograd))
        for autograd, _ in keys
    )
    if any(_has(name, key) for key in _EXPLICIT) or any(
        _has_any(name, backends) for backends in served
    ):
        return None
    return DispatchKey.CompositeImplicitAutograd if _has(name, _IMPLICIT) else None


def _keys(kind: Kind) -> tuple[str, str]:
    """The autograd key and the backend key of a tensor."""
    device, layout, quantized, nested = kind
    backend = torch._C._dispatch_key_for_device(device)
    if nested:
        return "AutogradNestedTensor", f"NestedTensor{backend}"
    prefix = "Quantized" if quantized else _PREFIXES.get(layout, "")
    autograd = f"Autograd{backend}"
    if prefix == "Mkldnn" or _parsed(autograd) is None:
        autograd = "AutogradOther"
    return autograd, f"{prefix}{backend}"


def _known(name: str) -> bool:
    """True if the dispatcher has the operator; it does not have TorchScript's ``prim::`` ones."""
    return bool(torch._C._dispatch_has_kernel(name))


def _has(name: str, key: str) -> bool:
    """True if a kernel is registered under the key itself; under one that torch does not have, none is (``MkldnnCUDA``)."""
    return _parsed(key) is not None and bool(
        torch._C._dispatch_has_kernel_for_dispatch_key(name, key)
    )


def _has_any(name: str, keys: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_any_dispatch_key(name, keys))


def _parsed(key: str) -> DispatchKey | None:
    """The key of that name; None where torch has none, for a backend without an autograd key of its own."""
    found: DispatchKey | None = torch._C._parse_dispatch_key(key)
    return found

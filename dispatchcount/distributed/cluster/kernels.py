"""Collectives on tensors without values: the kernels that say what they return.

torch 2.10 and later bring such kernels along. torch 2.7 to 2.9 have them in a module of their own,
which registers them for the whole process when it is imported; they are for tensors on meta alone.
torch 2.6 has none, so it cannot plan.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import torch

_OPERATOR = "c10d::allreduce_"
"""One of those that have no kernel for tensors without values where the others have none."""

_REGISTERING = "torch.distributed._tools.fake_collectives"


def has_kernels() -> bool:
    """True if collectives run on tensors without values."""
    if not _has_one():
        with suppress(ImportError):
            import_module(_REGISTERING)
    return _has_one()


def _has_one() -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(_OPERATOR, "Meta"))

"""Where to run backward from, if all that is known is what a model returned."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as pytree


def to_run_backward_from(out: Any) -> Any:
    """The sum of the floating tensors in an output that have a gradient, to run backward from.

    Raises:
        ValueError: no tensor in it has a gradient.
    """
    tensors = [
        t for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor) and t.requires_grad
    ]
    if not tensors:
        raise ValueError(
            "no tensor in the output has a gradient, so there is nothing to run backward from"
        )
    return sum((t.sum() for t in tensors[1:]), tensors[0].sum())

"""Operators that take functions: cond, while_loop, scan, map, flex attention, triton wrappers, checkpoints, compiled regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree

from dispatchcount.capture.key import Named, Part, part_of
from dispatchcount.capture.plan import Plan, Pseudo
from dispatchcount.rules.core.registry import OpKind, RegistryEntry

if TYPE_CHECKING:
    from dispatchcount.capture.dispatch import CountingMode


def run_higher_order(mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> Any:
    """Run a higher-order operator and record what it does.

    One with a rule is costed by it. Any other runs with its functions wrapped so that what they do comes back to the mode: the
    branch taken and no other, every pass of a loop. One that calls none of them is recorded as it is, without a rule.
    """
    if plan.packet.startswith("higher_order::triton_kernel_wrapper"):
        out = mode.run(plan.func, args, kwargs)
        _record_triton(mode, plan, kwargs)
        return out
    entry = plan.entry(mode.rules)
    if entry is not None and entry.rule is not None:
        out = mode.run(plan.func, args, kwargs)
        mode.ran(mode.pseudo(plan, *_operands(plan, args, kwargs), part_of(out)))
        return out
    watched = _Watched(mode)
    out = mode.run(
        plan.func, pytree.tree_map(watched.wrap, args), pytree.tree_map(watched.wrap, kwargs)
    )
    if not watched.called:
        mode.ran(mode.pseudo(plan, part_of(args), part_of(kwargs), part_of(out)))
    return out


class _Watched:
    """Functions that turn the mode on while they run."""

    def __init__(self, mode: CountingMode) -> None:
        self._mode = mode
        self.called = False

    def wrap(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor | type) or not callable(value):
            return value
        return self._wrapped(value)

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            self.called = True
            with self._mode:
                return function(*args, **kwargs)

        return run


def _operands(plan: Plan, args: Any, kwargs: Any) -> tuple[Part, Part]:
    """The parts that a rule sees: shapes, and for flex attention the score elements that its block mask leaves, as `computed`."""
    named = part_of(kwargs)
    if "flex_attention" in plan.packet:
        computed = flex_elements(args)
        named = Named() if computed is None else Named([("computed", computed)])
    return part_of(args), named


def flex_elements(args: Any) -> int | None:
    """Score elements, over batch and query heads, in the blocks that a flex attention's mask lets it compute.

    None where the mask's contents cannot be had (meta and fake tensors). Blocks at the border count as far as they reach.
    """
    query, key = args[0], args[1]
    mask = next(
        (
            a
            for a in args
            if isinstance(a, tuple) and sum(isinstance(t, torch.Tensor) for t in a) >= 2
        ),
        None,
    )
    if mask is None:
        return None
    tensors = [item for item in mask if isinstance(item, torch.Tensor)][:4]
    block_q, block_kv = (item for item in mask[-3:-1])
    if any(type(t) is not torch.Tensor or t.is_meta for t in tensors):
        return None
    batch, heads, rows, columns = query.shape[0], query.shape[1], query.shape[2], key.shape[2]
    total = 0
    for number, indices in zip(tensors[::2], tensors[1::2], strict=False):
        total += (
            _elements(number, indices, rows, columns, block_q, block_kv)
            * (batch // number.shape[0])
            * (heads // number.shape[1])
        )
    return total


def _elements(
    number: torch.Tensor,
    indices: torch.Tensor,
    rows: int,
    columns: int,
    block_q: int,
    block_kv: int,
) -> int:
    height = (rows - torch.arange(number.shape[-1], device=number.device) * block_q).clamp(
        0, block_q
    )
    width = (columns - indices.long() * block_kv).clamp(0, block_kv)
    listed = torch.arange(indices.shape[-1], device=number.device) < number[..., None]
    return int(((width * listed).sum(-1) * height).sum())


def _record_triton(mode: CountingMode, plan: Plan, kwargs: Any) -> None:
    """A triton kernel goes by its own name, so that users can register a rule for it."""
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table

    kernel = kernel_side_table.get_kernel(kwargs["kernel_idx"])
    while not hasattr(kernel, "__name__"):
        kernel = kernel.fn
    packet = f"triton::{kernel.__name__}"
    entry = mode.rules.get(packet) or RegistryEntry(
        OpKind.UNKNOWN,
        reason="a triton kernel without a rule; give it one with @dispatchcount.register",
    )
    mode.ran(
        mode.pseudo(Pseudo(packet.replace("::", "."), entry), (), part_of(kwargs["kwargs"]), None)
    )

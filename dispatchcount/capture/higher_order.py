"""Operators that take functions: cond, while_loop, scan, map, flex attention, triton wrappers, checkpoints, compiled regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree

from dispatchcount.capture.key import Named, Part, part_of
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.signature import Pseudo
from dispatchcount.rules.core.registry import OpKind, RegistryEntry
from dispatchcount.rules.flex import kept_scores

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
        mode.ran(mode.counter.pseudo(plan, *_operands(plan, args, kwargs), part_of(out)))
        return out
    watched = _Watched(mode)
    out = mode.run(
        plan.func, pytree.tree_map(watched.wrap, args), pytree.tree_map(watched.wrap, kwargs)
    )
    if not watched.called:
        mode.ran(mode.counter.pseudo(plan, part_of(args), part_of(kwargs), part_of(out)))
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
    """The scores that a flex attention computes, as its block mask says; see `flex.kept_scores`.

    None if there is no mask, or if its contents cannot be read (meta and fake tensors).
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
    if any(type(t) is not torch.Tensor or t.is_meta for t in tensors):
        return None
    block_q, block_kv = mask[-3:-1]
    blocks = list(zip(tensors[::2], tensors[1::2], strict=False))
    return kept_scores(query.shape, key.shape, blocks, block_q, block_kv)


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
        mode.counter.pseudo(
            Pseudo(packet.replace("::", "."), entry), (), part_of(kwargs["kwargs"]), None
        )
    )

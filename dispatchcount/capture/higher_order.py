"""Operators that take functions, which torch calls higher-order operators.

They are ``cond``, ``while_loop``, ``scan``, ``map``, flex attention, wrappers of triton kernels,
checkpoints and compiled regions. What one costs depends on which of its functions it calls, and how
often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from dispatchcount.capture.block_mask import block_mask_of, computed_scores, masked_scores
from dispatchcount.capture.key import FOR_USERS, Named, Part, part_of
from dispatchcount.capture.plan import Plan
from dispatchcount.capture.signature import Pseudo
from dispatchcount.capture.torch_private import tree_map, triton_kernel
from dispatchcount.rules.core.registry import OpKind, RegistryEntry

if TYPE_CHECKING:
    from dispatchcount.capture.dispatch import CountingMode


def run_higher_order(mode: CountingMode, plan: Plan, args: Any, kwargs: Any) -> Any:
    """Run a higher-order operator and record what it does.

    If the operator has a rule, the rule gives its cost. Otherwise the operator's functions are
    wrapped so that what they run comes to the mode: the branch taken and no other, every pass of a
    loop. If it calls none of its functions, it is recorded by its own name, and has no cost.
    """
    # 1. Wrappers of triton kernels: the kernel is what matters.
    if plan.packet.startswith("higher_order::triton_kernel_wrapper"):
        out = mode.run(plan.func, args, kwargs)
        _record_triton(mode, plan, kwargs)
        return out
    # 2. Operators with a rule.
    entry = plan.entry(mode.rules)
    if entry is not None and entry.rule is not None:
        out = mode.run(plan.func, args, kwargs)
        mode.ran(mode.counter.pseudo(plan, *_operands(plan, args, kwargs), part_of(out)))
        return out
    # 3. All others: look on as their functions run.
    watched = _Watched(mode)
    out = mode.run(plan.func, tree_map(watched.wrap, args), tree_map(watched.wrap, kwargs))
    if not watched.called:
        mode.ran(mode.counter.pseudo(plan, *_all(plan, args, kwargs), part_of(out)))
    return out


class _Watched:
    """Wraps functions so that they turn the mode on while they run.

    Attributes:
        called: True once one of them was called.
    """

    def __init__(self, mode: CountingMode) -> None:
        self._mode = mode
        self.called = False

    def wrap(self, value: Any) -> Any:
        """The wrapped function, if the value is a function; otherwise the value."""
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
    """What a rule is given: the parts of the arguments, by position and by name.

    For flex attention, all that it is given by name is what its block mask says: `computed` and
    `masked`, each left out where it is not known.
    """
    if "flex_attention" not in plan.packet:
        return _all(plan, args, kwargs)
    named: list[tuple[str, Part]] = []
    mask = block_mask_of(args)
    if mask is not None:
        named.append(("computed", computed_scores(args, mask)))
        masked = masked_scores(args, mask)
        if masked is not None:
            named.append(("masked", masked))
    return part_of(args, plan.kept), Named(named)


def _all(plan: Plan, args: Any, kwargs: Any) -> tuple[Part, Part]:
    """The parts of all arguments, by position and by name."""
    return part_of(args, plan.kept), part_of(kwargs, plan.kept)


def _record_triton(mode: CountingMode, plan: Plan, kwargs: Any) -> None:
    """Record a triton kernel under its own name, so that users can register a rule for it."""
    kernel = triton_kernel(kwargs["kernel_idx"])
    while not hasattr(kernel, "__name__"):  # an autotuner, or something else around the kernel
        kernel = kernel.fn
    packet = f"triton::{kernel.__name__}"
    entry = mode.rules.get(packet) or RegistryEntry(
        OpKind.UNKNOWN,
        reason="a triton kernel without a rule; give it one with @dispatchcount.register",
    )
    named = part_of(kwargs["kwargs"], FOR_USERS)
    mode.ran(mode.counter.pseudo(Pseudo(packet.replace("::", "."), entry), (), named, None))

"""torch's own samples of its operators, forward and backward.

Every kernel that runs has an entry, and its rule has an answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves

from dispatchcount.rules.core.cost import COUNTS, Cost
from dispatchcount.rules.core.registry import RULES, OpKind
from tests.rules.util import Watch, cost

SAMPLES = 4


def dtype_of(op: Any) -> torch.dtype | None:
    supported = op.supported_dtypes("cpu")
    if torch.float32 in supported:
        return torch.float32
    return min(supported, key=str, default=None)


def storages(value: Any) -> set[int]:
    """Addresses of the memory of every plain dense tensor in `value`."""
    tensors = (
        t
        for t in tree_leaves(value)
        if isinstance(t, torch.Tensor) and t.layout is torch.strided and not t.is_nested
    )
    held = (t for t in tensors if t.numel() and t.device.type == "cpu" and not t._is_zerotensor())
    return {t.untyped_storage().data_ptr() for t in held}


class Sweep(Watch):
    """Besides, notes the operators whose class does not fit what they do with memory."""

    def __init__(self) -> None:
        super().__init__()
        self.misplaced: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        packet, _, overload = func.name().partition(".")
        entry = RULES.get(packet, overload)
        if entry is not None:
            operands, results = storages((args, kwargs)), storages(result)
            writes = any(
                a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments
            )
            allocated = entry.kind is OpKind.FREE and results - operands and "empty" not in packet
            viewed = (
                entry.kind is not OpKind.FREE and results and results <= operands and not writes
            )
            if allocated or viewed:
                self.misplaced.add(packet)
        return result


def sweep(op: Any) -> Iterator[Sweep]:
    """One watch for each of the first samples of an operator, forward and backward.

    Samples that torch cannot run here are left out.
    """
    dtype = dtype_of(op)
    if dtype is None or op.name.startswith("jiterator"):  # CUDA alone
        return
    differentiable = op.supports_autograd and dtype.is_floating_point
    for sample in islice(op.sample_inputs("cpu", dtype, requires_grad=differentiable), SAMPLES):
        with Sweep() as seen:
            try:
                result = op(sample.input, *sample.args, **sample.kwargs)
                roots = [
                    t
                    for t in tree_leaves(result)
                    if isinstance(t, torch.Tensor) and t.requires_grad
                ]
                if roots and differentiable:
                    torch.autograd.backward(roots, [torch.ones_like(t) for t in roots])
            except (
                NotImplementedError
            ):  # kernels of other devices, and to_sparse of a sparse tensor
                pass
        yield seen


PIECES = 8

pytestmark = pytest.mark.proof(every=PIECES - 1)


@pytest.fixture(scope="module", params=range(PIECES))
def swept(request: pytest.FixtureRequest) -> list[Sweep]:
    """What an eighth of the operators ran."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [seen for op in op_db[request.param :: PIECES] for seen in sweep(op)]


def test_every_kernel_has_an_entry(swept: list[Sweep]) -> None:
    calls = {(c.packet, c.overload) for seen in swept for c in seen.calls}
    assert len({packet for packet, _ in calls}) > 100
    assert (
        sorted({packet for packet, overload in calls if RULES.get(packet, overload) is None}) == []
    )


def test_every_rule_answers_in_whole_numbers(swept: list[Sweep]) -> None:
    wrong = {}
    for call in (
        c for seen in swept for c in seen.calls if RULES.get(c.packet, c.overload) is not None
    ):
        try:
            found: Cost | Exception = cost(call)
        except Exception as error:
            found = error
        counts = [] if isinstance(found, Exception) else [getattr(found, name) for name in COUNTS]
        if isinstance(found, Exception) or any(
            type(n) is not int or n < 0 for n in counts if n is not None
        ):
            wrong[call.packet] = f"{found!r} of {call}"
    assert wrong == {}


def test_views_are_free_and_copies_are_not(swept: list[Sweep]) -> None:
    """A free operator allocates nothing; one that moves or computes does not hand back a view."""
    assert {packet for seen in swept for packet in seen.misplaced} == set()

"""Operators of torch give the same bits under a profile, over torch's own samples of them.

The samples run where keys above a mode matter: under autocast, and on complex numbers.
"""

from contextlib import nullcontext

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map

import dispatchcount as dc
from tests.proof.same import PIECES

pytest.importorskip("numpy")

UNSET = {
    "empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided",
    "resize_", "resize_as_",
}  # fmt: skip
"""Operators whose results hold whatever was in memory."""

ASK_FOR_A_MODE = {"linalg.cond", "linalg.eigvals", "linalg.eigvalsh", "linalg.svdvals", "norm"}
"""Their C++ asks if a mode is on and then runs another kernel, under any mode."""

CAST_BY_A_COMPOSITE = {"pinverse"}
"""A composite with a kernel for autocast, which a mode cannot see."""


def copied(values):
    return tree_map(lambda v: v.detach().clone() if isinstance(v, torch.Tensor) else v, values)


def run(op, sample, *, profiled, cast):
    torch.manual_seed(0)
    given, args, kwargs = copied((sample.input, sample.args, sample.kwargs))
    with (
        dc.profile() if profiled else nullcontext(),
        torch.autocast("cpu") if cast else nullcontext(),
    ):
        return op(given, *args, **kwargs)


def plain(tensor):
    """A dense tensor of the same bits."""
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.detach().resolve_conj().resolve_neg()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def same(one, other):
    ours, theirs = tree_leaves(one), tree_leaves(other)
    if len(ours) != len(theirs):
        return False
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(a, torch.Tensor):
            if (a.dtype, a.shape, a.layout) != (b.dtype, b.shape, b.layout):
                return False
            a, b = plain(a), plain(b)
            if not bool(((a == b) | ((a != a) & (b != b))).all()):
                return False
    return True


@pytest.mark.proof(every=PIECES - 1)
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize(
    ("dtype", "cast", "samples"),
    [(torch.float32, True, 1), (torch.complex64, False, 2)],
    ids=["autocast", "complex"],
)
def test_operators_give_the_same_bits(dtype, cast, samples, piece):
    excepted = UNSET | ASK_FOR_A_MODE | (CAST_BY_A_COMPOSITE if cast else set())
    compared, differ = 0, {}
    for op in op_db[piece::PIECES]:
        if (
            op.name in excepted
            or op.name.startswith("jiterator")  # for GPUs alone
            or dtype not in op.supported_dtypes("cpu")
        ):
            continue
        for number, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=False)):
            if number == samples:
                break
            try:
                run(op, sample, profiled=False, cast=cast)
            except RuntimeError:  # torch refuses it under autocast
                continue
            compared += 1
            # Some kernels round as their operands lie in memory: those agree now and then.
            if not any(
                same(*(run(op, sample, profiled=profiled, cast=cast) for profiled in (False, True)))
                for _ in range(8)
            ):
                differ[op.name] = number
    assert compared > 400 // PIECES
    assert not differ

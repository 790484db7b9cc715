"""Operators that take functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import dispatchcount as dc

pytestmark = pytest.mark.torch_alone

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
X, W = torch.rand(4, 8), torch.rand(8, 8)
PRODUCT = 4 * 8 * 8


def scan() -> Any:
    from torch._higher_order_ops.scan import scan

    return scan(lambda c, v: (c @ W, c + v), X, torch.rand(3, 4, 8), dim=0)


def while_loop() -> Any:
    from torch._higher_order_ops.while_loop import while_loop

    return while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v @ W), (torch.tensor(0), X))


def mapped() -> Any:
    from torch._higher_order_ops.map import map as mapping

    return mapping(lambda v: v @ W, torch.rand(3, 4, 8))


CALLS: dict[str, tuple[Callable[[], Any], int]] = {
    "cond, one product": (
        lambda: torch.cond(X.sum() < 1e9, lambda v: v @ W, lambda v: (v @ W) @ W, (X,)),
        PRODUCT,
    ),
    "cond, the other two": (
        lambda: torch.cond(X.sum() > 1e9, lambda v: v @ W, lambda v: (v @ W) @ W, (X,)),
        2 * PRODUCT,
    ),
    "while_loop": (while_loop, 3 * PRODUCT),
    "scan": (scan, 3 * PRODUCT),
    "map": (mapped, 3 * PRODUCT),
    "vmap": (lambda: torch.func.vmap(lambda v: v @ W)(X), PRODUCT),
    "grad": (
        lambda: torch.func.grad(lambda v: (v @ W).sum())(X),
        2 * PRODUCT,
    ),  # the product, and one for the gradient
    "jacrev": (
        lambda: torch.func.jacrev(lambda v: v @ W)(X[0]),
        8 * 8 + 8 * 8 * 8,
    ),  # a row of the Jacobian for each output
}


# Older torch runs the function once more to learn its shapes, which a mode cannot tell from the work.
if TORCH < (2, 12):
    del CALLS["scan"]
if TORCH < (2, 8):
    del CALLS["map"]


@pytest.mark.parametrize("name", CALLS)
def test_what_ran_is_counted(name: str) -> None:
    call, macs = CALLS[name]
    with dc.profile() as prof:
        call()
    assert prof.report.macs == macs
    assert not prof.report.unknown_ops


@pytest.mark.parametrize("heads", [None, 4])
def test_flex_attention_counts_the_blocks_its_mask_keeps(heads: int | None) -> None:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    q = torch.rand(1, 4, 256, 16)
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, heads, 256, 256, device="cpu")
    with dc.profile() as prof:
        out = flex_attention(q, q, q, block_mask=mask)
    assert prof.report.macs == 4 * (3 * 128 * 128) * (
        16 + 16
    )  # 3 of 4 blocks of 128 x 128 in each head
    assert torch.equal(out, flex_attention(q, q, q, block_mask=mask))
    with dc.profile() as prof:
        flex_attention(q, q, q)
    assert prof.report.macs == 4 * (256 * 256) * (16 + 16)


def test_compiled_callables_are_counted_and_compile_afterwards() -> None:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    compiled = torch.compile(torch.nn.Linear(8, 16), backend="aot_eager")
    with dc.profile(compiled) as prof:
        compiled(X)
    assert prof.report.macs == 4 * 8 * 16
    assert not counters["frames"]["ok"]
    compiled(X)
    assert counters["frames"]["ok"] == 1

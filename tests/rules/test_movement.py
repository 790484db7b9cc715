"""What moves: bytes read and written, and no arithmetic."""

from __future__ import annotations

import pytest
import torch

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES, OpKind
from tests.rules.util import S, ask, only

F32 = 4


@pytest.mark.parametrize(
    "name",
    [
        "zeros",
        "ones_like",
        "full",
        "arange",
        "fill_",
        "zero_",
        "new_zeros",
        "uniform_",
        "normal_",
        "randn",
    ],
)
def test_fills_and_draws_read_nothing(name: str) -> None:
    found = ask(f"aten::{name}", S(3, 4), out=S(3, 4))
    assert (found.bytes_read, found.bytes_written, found.arithmetic) == (0, 12 * F32, 0)


def test_copying_into_a_tensor_does_not_read_it() -> None:
    found = ask("aten::copy_", S(2, 3), S(3, dtype="float64"), out=S(2, 3))
    assert (found.bytes_read, found.bytes_written) == (3 * 8, 6 * F32)


@pytest.mark.parametrize(
    "name",
    [
        "clone",
        "cat",
        "_to_copy",
        "constant_pad_nd",
        "flip",
        "roll",
        "repeat",
        "tril",
        "pixel_shuffle",
    ],
)
def test_rearrangements_leave_the_bytes_to_the_caller(name: str) -> None:
    """Every operand is read once, every result written once."""
    entry = RULES.get(f"aten::{name}")
    assert entry is not None
    assert entry.kind is OpKind.MOVE
    assert ask(f"aten::{name}", S(3), out=S(3)) == Cost()


def test_gradients_of_copies_add() -> None:
    """Each gradient is added where its element came from."""
    x = torch.rand(1, 2, 4, 4, requires_grad=True)
    pad = only(
        lambda: torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect").sum().backward(),
        name="aten::reflection_pad2d_backward",
    )
    assert pad.arithmetic == 2 * 36
    table = torch.rand(9, 4, requires_grad=True)
    index = torch.tensor([1, 2, 3])
    back = only(
        lambda: torch.nn.functional.embedding(index, table).sum().backward(),
        name="aten::embedding_dense_backward",
    )
    assert back.arithmetic == 12

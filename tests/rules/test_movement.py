"""What moves: bytes read and written, and that nothing is computed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.registry import RULES, OpKind
from dispatchcount.rules.indexing import hits
from tests.rules.util import S, ask, only, total

F32 = 4
I64 = 8


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


def test_look_ups_read_what_they_take() -> None:
    """5 rows of 16 floats out of 1000, and 5 indices."""
    table, index = torch.rand(1000, 16), torch.randint(1000, (5,))
    runs = {
        "embedding": lambda: torch.nn.functional.embedding(index, table),
        "index_select": lambda: table.index_select(0, index),
        "index": lambda: table[index],
    }
    for name, run in runs.items():
        found = only(run, name=f"aten::{name}")
        assert (found.bytes_read, found.bytes_written) == (80 * F32 + 5 * I64, 80 * F32)
    found = only(
        lambda: table.gather(1, torch.zeros(1000, 2, dtype=torch.int64)), name="aten::gather"
    )
    assert (found.bytes_read, found.bytes_written) == (2000 * (F32 + I64), 2000 * F32)


def test_scatter_in_place_writes_what_it_hits() -> None:
    x, index, source = torch.zeros(100, 8), torch.randint(100, (3, 8)), torch.rand(3, 8)
    found = only(lambda: x.scatter_add_(0, index, source), name="aten::scatter_add_")
    assert (found.arithmetic, found.bytes_read, found.bytes_written) == (
        24,
        24 * (I64 + F32 + F32),
        24 * F32,
    )
    found = only(lambda: x.scatter_(0, index, source), name="aten::scatter_")
    assert (found.arithmetic, found.bytes_read, found.bytes_written) == (
        0,
        24 * (I64 + F32),
        24 * F32,
    )
    assert (
        only(lambda: x.scatter(0, index, 1.0, reduce="add"), name="aten::scatter").arithmetic == 24
    )
    assert (
        only(
            lambda: x.scatter_reduce(0, index, source, "mean"), name="aten::scatter_reduce"
        ).arithmetic
        == 2 * 24 + 800
    )


def test_index_put() -> None:
    x, rows = torch.zeros(100, 8), torch.randint(100, (3,))
    found = only(
        lambda: x.index_put_((rows,), torch.ones(8), accumulate=True), name="aten::index_put_"
    )
    assert (found.arithmetic, found.bytes_written) == (24, 24 * F32)
    found = only(lambda: x.index_put_((rows,), torch.ones(8)), name="aten::index_put_")
    assert (found.arithmetic, found.bytes_read, found.bytes_written) == (
        0,
        3 * I64 + 8 * F32,
        24 * F32,
    )
    assert (
        only(
            lambda: x.index_add_(0, rows, torch.ones(3, 8), alpha=2), name="aten::index_add_"
        ).arithmetic
        == 48
    )


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_hits_is_the_size_of_what_indexing_takes(sizes: list[int], data: st.DataObject) -> None:
    """Indices are broadcast together; a dimension without one is taken whole."""
    x = torch.zeros(sizes)
    where = data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)).filter(any))
    indices = [
        torch.zeros(data.draw(st.sampled_from([(1,), (3,), (2, 3)])), dtype=torch.int64)
        if w
        else None
        for w in where
    ]
    taken = torch.ops.aten.index(x, indices)
    assert (
        hits(
            S(*sizes),
            tuple(None if i is None else S(*i.shape, dtype="int64") for i in indices),
            S(1),
        )
        == taken.numel()
    )


def test_embedding_bag() -> None:
    """7 indices of rows of 4 into 3 bags: a sum per element; the mean divides, weights multiply."""
    table, index, offsets = torch.rand(50, 4), torch.randint(50, (7,)), torch.tensor([0, 2, 5])
    run = torch.nn.functional.embedding_bag
    assert total(lambda: run(index, table, offsets, mode="sum")).arithmetic == 28
    assert total(lambda: run(index, table, offsets, mode="mean")).arithmetic == 28 + 12
    found = total(lambda: run(index, table, offsets, mode="sum", per_sample_weights=torch.ones(7)))
    assert found.arithmetic == 56
    bags = only(
        lambda: run(index, table, offsets, mode="sum"), name="aten::_embedding_bag_forward_only"
    )
    assert bags.bytes_read == 28 * F32 + 7 * I64 + 3 * I64


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


def test_views_cost_nothing() -> None:
    x = torch.rand(2, 3, 4)
    assert (
        total(lambda: x.view(6, 4).t().unsqueeze(0).expand(2, -1, -1)[..., 1:].detach().chunk(2))
        == Cost()
    )
    assert total(lambda: (torch.empty(5), x.new_empty(3), x.dim(), x.is_contiguous())) == Cost()

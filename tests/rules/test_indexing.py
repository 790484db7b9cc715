"""Gathers and scatters: what they read, write and add."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.indexing import hits
from tests.rules.util import S, only

F32 = 4


I64 = 8


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

"""Gathers and scatters: what they read, write and add."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.indexing import hits
from tests.rules.util import S, ask, only

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


def test_a_write_into_a_copy_reads_the_tensor_and_writes_all_of_it() -> None:
    """3 values into 10 floats at 3 places; adding is an operation each, and reads what is there."""
    x, index, values = torch.rand(10), torch.tensor([1, 4, 4]), torch.rand(3)
    copied = only(lambda: x.index_put((index,), values), name="aten::index_put")
    whole = 3 * (F32 + I64) + 10 * F32
    assert copied == Cost(bytes_read=whole, bytes_written=10 * F32)
    added = only(lambda: x.index_put((index,), values, accumulate=True), name="aten::index_put")
    assert added == Cost(arithmetic=3, bytes_read=whole + 3 * F32, bytes_written=10 * F32)


def test_flat_places() -> None:
    x, index, values = torch.rand(2, 5), torch.tensor([1, 4, 4]), torch.rand(3)
    assert only(lambda: x.put(index, values, accumulate=True), name="aten::put").arithmetic == 3
    assert only(lambda: x.put(index, values), name="aten::put") == Cost()
    added = only(lambda: x.put_(index, values, accumulate=True), name="aten::put_")
    assert added == Cost(arithmetic=3, bytes_read=3 * (2 * F32 + I64), bytes_written=3 * F32)


def test_slices_written_in_place() -> None:
    """2 of 5 rows of 4 floats."""
    x, index = torch.rand(5, 4), torch.tensor([0, 3])
    filled = only(lambda: x.index_fill_(0, index, 1.0), name="aten::index_fill_")
    assert filled == Cost(bytes_read=2 * I64, bytes_written=2 * 4 * F32)
    rows = torch.rand(2, 4)
    copied = only(lambda: x.index_copy_(0, index, rows), name="aten::index_copy_")
    assert copied == Cost(bytes_read=2 * I64 + 8 * F32, bytes_written=2 * 4 * F32)


def test_masks_say_how_many_only_in_their_data() -> None:
    """A mask names as many elements as there are values; what it selects is read whole."""
    assert hits(S(10), (S(10, dtype="bool"),), S(3)) == 3
    x, mask, source = torch.rand(10), torch.zeros(10, dtype=torch.bool), torch.rand(10)
    assert only(lambda: x.masked_scatter(mask, source), name="aten::masked_scatter") == Cost()
    found = ask(
        "aten::_unsafe_masked_index_put_accumulate",
        S(10), S(3, dtype="bool"), (S(3, dtype="int64"),), S(3), out=S(10),
    )  # fmt: skip
    # A select and an addition for each of 3 values; read are those, what is there, and the copy.
    read = 3 * (1 + I64 + F32) + 3 * F32 + 10 * F32
    assert found == Cost(arithmetic=2 * 3, bytes_read=read, bytes_written=10 * F32)

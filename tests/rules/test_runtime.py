"""Operators of torch's runtimes."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask


def test_a_gradient_is_added_to_the_one_that_is_there() -> None:
    x = S(3, 4)
    assert ask("inductor::accumulate_grad_", x, x, x) == Cost(arithmetic=12)
    assert ask("inductor::accumulate_grad_", x, None, x) == Cost()


def test_values_are_added_to_zeros() -> None:
    found = ask("flex_lib::zeros_and_scatter", (9,), (S(5, dtype="int64"),), S(5), out=S(9))
    assert found == Cost(arithmetic=5)


def test_copies_and_loads() -> None:
    x = S(3, 4)
    assert ask("static_runtime::reshape_copy", x, (12,), out=S(12)) == Cost()
    loaded = ask("debugprims::load_tensor", "file", (3, 4), (4, 1), out=x)
    assert loaded == Cost(bytes_read=0, bytes_written=48)

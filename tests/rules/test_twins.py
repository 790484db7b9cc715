"""Second names of operators."""

from __future__ import annotations

import pytest
import torch

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.twins import adopt
from tests.rules.util import total


def test_prims_are_their_twins() -> None:
    x = torch.rand(3, 4)
    for name in ("exp", "sqrt", "neg", "sin"):
        assert total(getattr(torch.ops.prims, name).default, x) == total(getattr(torch, name), x)
    assert total(lambda: torch.ops.prims.sum(x, [1])).arithmetic == 12
    assert total(lambda: torch.ops.prims.broadcast_in_dim(x, [2, 3, 4], [1, 2])) == Cost()


def test_a_twin_needs_the_entry_that_it_shares() -> None:
    with pytest.raises(LookupError, match="mylib::x should share the entry of aten::nope"):
        adopt("mylib::x", "nope")

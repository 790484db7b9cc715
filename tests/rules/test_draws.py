"""Random numbers."""

from __future__ import annotations

import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import only, total


def test_random_numbers_are_free_but_written() -> None:
    x = torch.rand(6)
    found = total(lambda: torch.bernoulli(x))
    assert found == Cost()  # the probabilities read and the draws written, as the caller derives it
    assert total(lambda: torch.normal(x, x)).arithmetic == 12  # scaled and shifted
    assert only(lambda: x.bernoulli_(0.5), name="aten::bernoulli_").bytes_written == 24

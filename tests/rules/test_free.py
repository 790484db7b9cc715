"""Operators that touch no element."""

from __future__ import annotations

import torch

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import total


def test_views_cost_nothing() -> None:
    x = torch.rand(2, 3, 4)
    assert (
        total(lambda: x.view(6, 4).t().unsqueeze(0).expand(2, -1, -1)[..., 1:].detach().chunk(2))
        == Cost()
    )
    assert total(lambda: (torch.empty(5), x.new_empty(3), x.dim(), x.is_contiguous())) == Cost()

"""Totals by phase."""

from __future__ import annotations

import pytest

from dispatchcount.report.rows import PHASES
from tests.report.make import training

pytestmark = pytest.mark.torch_alone


@pytest.mark.parametrize("convention", ["fvcore", "macs", "torch", "full"])
def test_phases_stand_in_the_order_of_a_step_whatever_they_cost(convention: str) -> None:
    phases = training().with_convention(convention).by_phase()
    assert phases["backward"].flops > phases["forward"].flops
    assert list(phases) == ["forward", "backward", "optimizer"]
    assert [phase for phase in PHASES if phase in phases] == list(phases)

"""The utilization of a job of two real ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

import dispatchcount as dc
from dispatchcount.integrations.job import over_ranks
from tests.distributed.decoder import SCORES, STEP, Decoder, step, tokens
from tests.distributed.spawn import on_ranks


def two_meters() -> tuple[float, Any, list[Any]]:
    """The job's model flops and utilization, and the utilization of each rank."""
    model = Decoder()
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
    meter = dc.Meter(model, device=dc.Device({"float32": 1e12}))
    for _ in range(2):
        with meter.step({"input_ids": tokens()}):
            step(model, optimizer)
    job = over_ranks(meter.total)
    return job.flops_per_step, job.mfu, [rank.mfu for rank in job.ranks]


def test_utilization_is_each_ranks_and_the_jobs(tmp_path: Path) -> None:
    first, second = on_ranks(2, two_meters, tmp_path)
    flops, mfu, each = first
    # Two model flops for each MAC of each rank; the scores that backward forms again are not model
    # flops.
    assert flops == 2 * 2 * (STEP - SCORES)
    assert len(each) == 2
    assert mfu == pytest.approx(sum(each) / 2)
    assert second == first


def test_without_numpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("Numpy is not available")

    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda group: 2)
    monkeypatch.setattr(distributed, "all_gather_object", refuse)
    own = dc.Meter(torch.nn.Linear(2, 2), device=dc.Device({"float32": 1e12})).total
    with pytest.raises(ImportError, match="pip install numpy"):
        over_ranks(own)

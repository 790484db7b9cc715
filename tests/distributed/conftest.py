"""Runs on real ranks that several files look at. A run takes seconds, so each is made once."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import pytest
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from tests.distributed.measured import Measured, measure
from tests.distributed.spawn import on_ranks
from tests.distributed.ways import ways


class Runs(NamedTuple):
    """Every way to spread the decoder over so many ranks, by its name.

    Attributes:
        ranks: how many there are.
        real: what each rank of a gloo group measured.
        fake: what rank 0 of a fake group of that size measured.
    """

    ranks: int
    real: list[dict[str, Measured]]
    fake: dict[str, Measured]


def _all_ways(ranks: int, *, real: bool) -> dict[str, Measured]:
    return {name: measure(way) for name, way in ways(ranks, real=real).items()}


@pytest.fixture(scope="session", params=[2, 4])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The ranks of a real group and rank 0 of a fake one of the same size."""
    ranks: int = request.param
    real = on_ranks(ranks, partial(_all_ways, ranks, real=True), tmp_path_factory.mktemp("ranks"))
    dist.init_process_group("fake", rank=0, world_size=ranks, store=FakeStore())
    try:
        fake = _all_ways(ranks, real=False)
    finally:
        dist.destroy_process_group()
    return Runs(ranks, real, fake)

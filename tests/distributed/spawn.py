"""Real process groups: functions that run on several ranks of gloo, in processes of their own."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

PATIENCE = timedelta(seconds=120)
"""How long a rank waits for another. It is long because the machine may be busy."""


def on_ranks(ranks: int, run: Callable[[], Any], folder: Path) -> list[Any]:
    """What `run`, a function of a module, returns on each rank of a new gloo group.

    Args:
        ranks: how many there are.
        run: the function. What it returns must be picklable.
        folder: an empty one, in which the ranks find each other and leave their results.
    """
    mp.spawn(_rank, (ranks, run, str(folder)), nprocs=ranks)
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(ranks)]


def _rank(rank: int, ranks: int, run: Callable[[], Any], folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=ranks,
        timeout=PATIENCE,
    )
    try:
        result = run()
        (Path(folder) / f"{rank}.pickle").write_bytes(pickle.dumps(result))
        dist.barrier()
    finally:
        dist.destroy_process_group()

"""One command on many ranks: under ``torchrun`` each rank runs it, and rank 0 alone shows.

``torchrun`` says in the environment which rank a process is. Every rank saves its own files, so
that a rank that raises or is stopped leaves what it did.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatchcount.cli.saved import ENDINGS
from dispatchcount.cli.streams import complain

_PATIENCE = 60.0
"""Seconds for which rank 0 waits for the reports of the others."""


class Job:
    """The job that this process is a rank of.

    Attributes:
        rank: this process's.
        world: how many ranks there are; 1 without ``torchrun``.
    """

    def __init__(self) -> None:
        launched = "TORCHELASTIC_RUN_ID" in os.environ
        self.rank = int(os.environ.get("RANK", 0)) if launched else 0
        self.world = int(os.environ.get("WORLD_SIZE", 1)) if launched else 1

    @property
    def shows(self) -> bool:
        """True if this rank is the one that prints."""
        return self.rank == 0

    @property
    def labels(self) -> dict[str, str]:
        """The labels that say whose a report is; none of a process alone."""
        if self.world == 1:
            return {}
        return {"rank": str(self.rank), "world_size": str(self.world)}

    def own(self, name: str | None) -> str | None:
        """This rank's file in place of one that was asked for: ``run.rank-3.json``.

        Names of a process alone, of streams and of devices stay.
        """
        if name is None or self.world == 1 or name == "-" or name.startswith("/dev/"):
            return name
        ending = next((end for end in ENDINGS if name.endswith(end)), os.path.splitext(name)[1])
        stem = name[: len(name) - len(ending)]
        return f"{stem}.rank-{self.rank}{ending}"

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let SIGTERM end the script as `sys.exit` does, so that the report is still saved.

        ``torchrun`` sends it to all ranks when one has failed.
        """
        if self.world == 1:
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def gather(self, report: Any, *, failed: bool) -> Any:
        """The reports of all ranks, on rank 0; None on others, and where they cannot be had.

        The ranks meet at the store of ``torchrun``: a script's process group may be gone by now.
        A rank that `failed` waits for nobody, so that ``torchrun`` learns of it at once.
        """
        if self.world == 1 or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
            return None
        from torch.distributed import PrefixStore, TCPStore

        from dispatchcount.distributed.gathering import gather_by, give
        from dispatchcount.distributed.notices import Notices

        try:
            store = TCPStore(
                os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), self.world, False
            )
            attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            notices = Notices(PrefixStore(f"run/{attempt}", store), self.rank, self.world)
            if failed:
                give(notices, report)
                return None
            return gather_by(notices, report, _PATIENCE, partial=True)
        except RuntimeError as error:  # the agent may be gone, or a rank
            complain(f"the reports of the other ranks cannot be had: {error}")
            return None

"""What ranks tell each other beside their collectives: through the store of the process group.

A store is a table of bytes that all ranks read and write; torch makes one for the ranks to find
each other. It works while a collective hangs, and it does not wait longer than it is told to: a
collective would wait for a rank that is gone for as long as the process group does, 30 minutes by
default.

`torch.distributed.distributed_c10d._get_default_store` is private; torch 2.6 to 2.14 have it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

import orjson
from torch import distributed

from dispatchcount.errors import UsageError

_PIECE = 1 << 20
"""Bytes under one key. torch's stores take no more than 8 MiB in a message."""

_PREFIX = "dispatchcount"


def is_alone() -> bool:
    """True if this process is in no process group."""
    return not (distributed.is_available() and distributed.is_initialized())


class Notices:
    """The notices of one job.

    Attributes:
        rank: this process's.
        world: how many ranks there are.
    """

    def __init__(self, store: Any, rank: int, world: int) -> None:
        """`store`: one that all ranks of the job see."""
        self.rank = rank
        self.world = world
        self._store: Any = distributed.PrefixStore(_PREFIX, store)

    @classmethod
    def of_group(cls) -> Notices:
        """Those of the default process group, in its store.

        Raises:
            UsageError: its other ranks are made up.
        """
        from torch.distributed import distributed_c10d

        if distributed.get_backend() == "fake":
            raise UsageError(
                "a fake process group has no other ranks to hear from; gather() is for ranks that "
                "run, and dispatchcount.distributed.plan for those that do not"
            )
        store = distributed_c10d._get_default_store()
        return cls(store, distributed.get_rank(), distributed.get_world_size())

    def put(self, key: str, data: bytes) -> None:
        """Write something under a key, for all ranks to read."""
        pieces = range(0, len(data), _PIECE)
        for number, start in enumerate(pieces):
            self._store.set(f"{key}/{number}", data[start : start + _PIECE])
        # The number comes last: who sees it sees all pieces.
        self._store.set(key, str(len(pieces)))

    def has(self, key: str) -> bool:
        """True if there is something under a key."""
        return bool(self._store.check([key]))

    def get(self, key: str) -> bytes:
        """What was put under a key, which must be there."""
        count = int(self._store.get(key))
        return b"".join(self._store.get(f"{key}/{number}") for number in range(count))

    def take_back(self, key: str) -> None:
        """Remove what is under a key, if anything is."""
        if self.has(key):
            self._store.delete_key(key)

    def say_where(self) -> None:
        """Tell the others which process this is, so that they can see if it is gone."""
        self.put(f"process/{self.rank}", orjson.dumps([_place(), os.getpid()]))

    def is_gone(self, rank: int) -> bool:
        """True if it is certain that a rank's process has ended.

        That can be seen of a process on the same machine that said where it is.
        """
        key = f"process/{rank}"
        if not self.has(key):
            return False
        place, pid = orjson.loads(self.get(key))
        return place == _place() and not _runs(pid)


def _place() -> str:
    """Where a process id means the same process: the machine, and on Linux the namespace of ids."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace}"


def _runs(pid: int) -> bool:
    """True if a process has not ended, as far as can be seen: only Linux shows it."""
    if not os.path.exists("/proc/self/stat"):
        return True
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            # The state stands behind the name, which is in brackets and may hold anything.
            return stream.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False

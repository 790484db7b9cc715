"""`keep`: a profile whose report is on disk however its block ends.

with dispatchcount.distributed.keep(dispatchcount.profile(model), "reports") as kept:
    for batch in loader:
        step(batch)
        kept.save()
"""

from __future__ import annotations

import os
from contextlib import suppress
from os import PathLike
from types import TracebackType

from dispatchcount import files
from dispatchcount.distributed.notices import Notices, is_alone
from dispatchcount.errors import described
from dispatchcount.profiler import Profile
from dispatchcount.report.ranks import RANK, WORLD_SIZE
from dispatchcount.report_api import Report


class Kept:
    """A profile with a file for the report of this rank.

    Attributes:
        profile: the profile, which is open inside the block.
        path: the file, ``rank-3.json`` in the folder.
    """

    def __init__(self, profile: Profile, folder: str | PathLike[str]) -> None:
        self.profile = profile
        self._notices = None if is_alone() else Notices.of_group()
        rank = 0 if self._notices is None else self._notices.rank
        self.path = os.path.join(os.fspath(folder), f"rank-{rank}.json")
        os.makedirs(folder, exist_ok=True)
        files.check(self.path)

    @property
    def report(self) -> Report:
        """What this rank did so far, with its rank among the labels."""
        notices = self._notices
        rank, world = (0, 1) if notices is None else (notices.rank, notices.world)
        return self.profile.report.with_labels(**{RANK: str(rank), WORLD_SIZE: str(world)})

    def save(self) -> None:
        """Write the report as it is now. A process that is killed leaves what it saved last."""
        self.report.to_json(self.path)

    def __enter__(self) -> Kept:
        if self._notices is not None:
            self._notices.say_where()
        self.profile.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        try:
            return self.profile.__exit__(kind, error, trace)
        finally:
            self.save()
            if error is not None:
                self._tell(error)

    def _tell(self, error: BaseException) -> None:
        """Tell the other ranks that this one raised, and where its report is."""
        if self._notices is None:
            return
        where = self.profile.report.meta.stopped_in
        place = "" if where is None else f" in {where or 'the root'}"
        text = f"raised {described(error)}{place}; its report so far is {self.path}"
        with suppress(RuntimeError):  # the rank that holds the store may be gone
            self._notices.put(f"raised/{self._notices.rank}", text.encode("utf-8", "replace"))


def keep(profile: Profile, folder: str | PathLike[str]) -> Kept:
    """A with-block that opens `profile` and writes this rank's report when it ends.

    It writes ``rank-3.json`` on rank 3. If an exception ends the block, the file has what ran
    before, and `gather` on the other ranks says at once what was raised where. Read the files with
    `Report.merge` and ``axis="rank"``.

    Args:
        profile: a profile that is not open yet.
        folder: where the files go; it is made if it is not there.

    Raises:
        OSError: the file could not be written there.
    """
    return Kept(profile, folder)

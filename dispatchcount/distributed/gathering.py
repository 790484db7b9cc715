"""`gather`: the reports of all ranks on rank 0.

    with dispatchcount.profile(model) as prof:
        step()
    ranks = dispatchcount.distributed.gather(prof.report, timeout=60)
    if ranks is not None:  # on rank 0
        print(ranks)

It uses no collective, so a rank that is gone does not hold the others up for longer than `timeout`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from itertools import count

import orjson

from dispatchcount.distributed.notices import Notices, is_alone
from dispatchcount.errors import MissingRanksError, described, expect
from dispatchcount.report.ranks import RANK, WORLD_SIZE
from dispatchcount.report_api import Ranks, Report

_LOOKS = 0.05
"""Seconds between two looks for ranks that have ended."""

_GRACE = 10.0
"""Seconds for which ranks wait longer than rank 0 does: for what it says at the end."""

_PATIENCE = 2.0
"""Seconds for which a rank that raised is waited for: its exception may have been caught."""

_CALLS = count()
"""How often this process gathered; ranks that are alike have the same number."""


def gather(report: Report, timeout: float = 60, *, partial: bool = False) -> Ranks | None:
    """The reports of all ranks of the job. Every rank calls it, as often as the others.

    Without a process group this process is the whole job.

    Args:
        report: this rank's.
        timeout: seconds for which ranks wait for one another. A rank that is known to have ended,
            or to have raised inside a block of `keep`, is not waited for.
        partial: True to return the reports that came although ranks are missing;
            `Ranks.missing` names those.

    Returns:
        On rank 0 the reports; None on all others.

    Raises:
        MissingRanksError: ranks are missing, on every rank that is there; the error of rank 0 has
            the reports that came.
        UsageError: the process group is fake.
    """
    expect(report, Report, "report", "this rank's report: gather(prof.report)")
    if is_alone():
        return Ranks(1, (0,), (report,))
    return gather_by(Notices.of_group(), report, timeout, partial=partial)


def gather_by(notices: Notices, report: Report, timeout: float, *, partial: bool) -> Ranks | None:
    """What `gather` does, among the ranks that have these notices in common."""
    call = next(_CALLS)
    labelled = _give(notices, report, call)
    if notices.rank:
        _await_verdict(notices, call, timeout)
        return None
    return _collect(notices, call, labelled, timeout, partial=partial)


def give(notices: Notices, report: Report) -> None:
    """Give a report and wait for nobody: for a rank that failed and is about to end."""
    _give(notices, report, next(_CALLS))


def _give(notices: Notices, report: Report, call: int) -> Report:
    """Put a report where rank 0 finds it; returns it with the labels that say whose it is."""
    notices.say_where()
    notices.take_back(f"raised/{notices.rank}")
    labelled = report.with_labels(**{RANK: str(notices.rank), WORLD_SIZE: str(notices.world)})
    if notices.rank:
        notices.put(f"report/{call}/{notices.rank}", zlib.compress(labelled.to_json(), 1))
    return labelled


def _collect(
    notices: Notices, call: int, own: Report, timeout: float, *, partial: bool
) -> Ranks | None:
    """Rank 0's part: wait for the reports, and tell the others how it went."""
    came, silent = {0: own}, dict.fromkeys(range(1, notices.world))
    end = time.monotonic() + timeout
    why: dict[int, str] = {}
    fates = Fates(notices)
    for _ in _looks(end):
        for rank in list(silent):
            key = f"report/{call}/{rank}"
            # A rank that ended may have given its report before.
            fate = fates.of(rank)
            if notices.has(key):
                came[rank] = Report.from_json(zlib.decompress(notices.get(key)))
            elif fate is not None:
                why[rank] = fate
            else:
                continue
            del silent[rank]
        if not silent:
            break
    why |= dict.fromkeys(silent, f"gave no report within {timeout:g} s")
    ranks = Ranks(notices.world, tuple(sorted(came)), tuple(came[r] for r in sorted(came)))
    message = "" if partial else _said(why)
    notices.put(f"verdict/{call}", orjson.dumps([message, sorted(why)]))
    if message:
        raise MissingRanksError(message, ranks.missing, ranks)
    return ranks


def _looks(end: float) -> Iterator[None]:
    """One look at once, one every `_LOOKS` seconds, and a last one when the time is over."""
    yield
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_LOOKS, left))
        yield


def _await_verdict(notices: Notices, call: int, timeout: float) -> None:
    """Another rank's part: wait for what rank 0 says.

    Raises:
        MissingRanksError: ranks are missing, perhaps rank 0.
    """
    key, end = f"verdict/{call}", time.monotonic() + timeout + _GRACE
    why = f"did not collect the reports within {timeout + _GRACE:g} s"
    fates = Fates(notices)
    for _ in _looks(end):
        try:
            fate = fates.of(0)
            if notices.has(key):
                message, missing = orjson.loads(notices.get(key))
                if message:
                    raise MissingRanksError(message, tuple(missing))
                return
        except RuntimeError as error:
            if isinstance(error, MissingRanksError):
                raise
            # The store is often rank 0's own, and is gone with it.
            fate = f"took the store along in which ranks find each other ({described(error)})"
        if fate is not None:
            why = fate
            break
    raise MissingRanksError(_said({0: why}), (0,))


class Fates:
    """Why ranks are not to be waited for any longer."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        # When ranks were first seen to have raised.
        self._raised: dict[int, float] = {}

    def of(self, rank: int) -> str | None:
        """What became of a rank; None if nothing speaks against waiting for it."""
        notices, now = self._notices, time.monotonic()
        key = f"raised/{rank}"
        gone = notices.is_gone(rank)
        if notices.has(key) and (gone or now - self._raised.setdefault(rank, now) >= _PATIENCE):
            return str(notices.get(key), "utf-8")
        return "has ended without a report" if gone else None


def _said(why: dict[int, str]) -> str:
    """The sentence that names the ranks that are missing; empty if none is."""
    if not why:
        return ""
    each = "; ".join(f"rank {rank} {text}" for rank, text in sorted(why.items()))
    return f"reports are missing: {each}"

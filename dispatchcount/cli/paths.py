"""Names of files on the command line: those that a command reads, and those that it writes."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

from dispatchcount import files
from dispatchcount.errors import UsageError

STANDARD = "-"
"""Stands for standard input among the files that are read, and for standard output as the file that is written."""


def named(path: str, what: str = "file") -> str:
    """`path`, if it can be the name of anything.

    Raises:
        dispatchcount.errors.UsageError: it is empty, or holds what no name on this system can hold.
    """
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise UsageError(f"{path!r} is no name of a {what}")
    return path


def inputs(*paths: str) -> tuple[str, ...]:
    """`paths`, which a command is to read.

    Raises:
        dispatchcount.errors.UsageError: one is no name or names a device, which may have no end, or two ask for standard
            input, which can be read but once.
    """
    if paths.count(STANDARD) > 1:
        raise UsageError(
            "standard input can be read only once; give the name of a file for one of the reports"
        )
    for path in paths:
        with suppress(OSError):  # whoever reads the file says what is wrong with it
            mode = os.stat(named(path)).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                raise UsageError(
                    f"{path} is a device; give the name of a file, or - for standard input"
                )
    return paths


def output(path: str | None, reads: Sequence[str]) -> str | None:
    """`path`, which a command is to write; None for standard output.

    Args:
        path: a name, ``-`` or None.
        reads: the files that the command reads. None of them may be written, by whatever name.

    Raises:
        dispatchcount.errors.UsageError: it is no name, or is one of `reads`.
        OSError: no file can be written there.
    """
    written = None if path is None or path == STANDARD else named(path)
    target = _descriptor(sys.stdout) if written is None else files.identity(written)
    for read in reads:
        source = _descriptor(sys.stdin) if read == STANDARD else files.identity(read)
        if target is not None and source == target:
            where = "standard output" if written is None else written
            what = "standard input" if read == STANDARD else read
            raise UsageError(
                f"{where} would overwrite {what}, which is read; give another name with -o"
            )
    if written is not None:
        files.check(written)
    return written


def code(*targets: str | None) -> list[str]:
    """The files that targets such as ``file.py:build`` are read from; of ``package.module:build`` once it is imported."""
    places = [target.rpartition(":")[0] for target in targets if target is not None]
    files_ = [
        place if place.endswith(".py") else getattr(sys.modules.get(place), "__file__", None)
        for place in places
    ]
    return [file for file in files_ if isinstance(file, str)]


def _descriptor(stream: object) -> tuple[int, int] | None:
    with suppress(OSError, AttributeError):
        return files.identity(stream.fileno())  # type: ignore[attr-defined]
    return None

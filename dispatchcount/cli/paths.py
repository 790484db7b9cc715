"""Checks the names of files on the command line: those to read, and those to write."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

from dispatchcount import files
from dispatchcount.errors import UsageError

STANDARD = "-"
"""Stands for standard input where a file is read, and for standard output where one is written."""


def named(path: str, what: str = "file") -> str:
    """Check that `path` can be the name of something, and return it.

    Raises:
        dispatchcount.errors.UsageError: it is empty, or no name on this system can hold it.
    """
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise UsageError(f"{path!r} is no name of a {what}")
    return path


def inputs(*paths: str) -> tuple[str, ...]:
    """Check `paths`, which a command is to read, and return them.

    Raises:
        dispatchcount.errors.UsageError: one cannot be a name, or names a device, which may have no
            end; or two stand for standard input, which can be read only once.
    """
    if paths.count(STANDARD) > 1:
        raise UsageError(
            "standard input can be read only once; give the name of a file for one of the reports"
        )
    for path in paths:
        # If there is no such file, whoever reads it says so.
        with suppress(OSError):
            mode = os.stat(named(path)).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                raise UsageError(
                    f"{path} is a device; give the name of a file, or - for standard input"
                )
    return paths


def output(path: str | None, reads: Sequence[str]) -> str | None:
    """Check `path`, which a command is to write, and return it.

    Args:
        path: a name, or ``-`` or None for standard output.
        reads: the files that the command reads. None of them may be written, by whatever name.

    Returns:
        None for standard output.

    Raises:
        dispatchcount.errors.UsageError: `path` cannot be a name, or is one of `reads`.
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


def html_output(path: str | None, reads: Sequence[str], other: str | None) -> str | None:
    """Check the name of a page that ``--html`` writes beside what a command shows.

    Args:
        path: the name; None if no page is wanted.
        reads: the files that the command reads.
        other: the other file that it writes, if any.

    Raises:
        dispatchcount.errors.UsageError: it is standard output, which has what is shown; or one of
            the other files.
        OSError: no file can be written there.
    """
    if path is None:
        return None
    written = output(path, reads)
    if written is None:
        raise UsageError("standard output has what is shown; give --html the name of a file")
    if other is not None and os.path.realpath(written) == os.path.realpath(other):
        raise UsageError(f"{written} would be written twice; give --html the name of another file")
    return written


def code(*targets: str | None) -> list[str]:
    """The files that targets such as ``file.py:build`` are read from.

    The file of ``package.module:build`` is known once the module is imported.
    """
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

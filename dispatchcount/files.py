"""Writes files so that each is there in full or not at all, and tells files apart."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from os import PathLike


def write(path: str | PathLike[str], data: bytes | str) -> None:
    """Write `data` to `path`, text as UTF-8.

    A temporary file in the same folder is written, and takes the name once it is complete. A file
    that was there keeps its permissions, and its content if anything fails. A link is followed.
    Anything other than a regular file (``/dev/stdout``, a pipe) is written to directly.

    Raises:
        OSError: the system's error, of its kind; the message names `path` and says what is wrong.
    """
    name = os.fspath(path)
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    check(name)
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            with open(name, "wb") as stream:
                stream.write(content)
        else:
            _replace(os.path.realpath(name), content)
    except OSError as error:
        raise _failure(name, error.errno, error.strerror or str(error)) from error


def check(path: str | PathLike[str]) -> None:
    """Find out whether a file could be written to `path`, before there is anything to write.

    Raises:
        OSError: `path` is a folder, or the folder that it would lie in is not there.
    """
    name = os.fspath(path)
    folder = os.path.dirname(os.path.realpath(name))
    if os.path.isdir(name) or name.endswith(("/", os.sep)):
        raise _failure(name, errno.EISDIR, "it is a folder")
    if not os.path.isdir(folder):
        raise _failure(name, errno.ENOENT, f"there is no folder {folder}")


def identity(path: str | int | PathLike[str]) -> tuple[int, int] | None:
    """A value that is the same for all names of one regular file, links included.

    Args:
        path: a name or an open descriptor.

    Returns:
        None if there is no such file, or if it is not a regular file (a terminal, ``/dev/null``).
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _replace(target: str, content: bytes) -> None:
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileNotFoundError):
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _failure(name: str, number: int | None, reason: str) -> OSError:
    return OSError(number, f"cannot write the file: {reason}", name)

"""Writing a file so that it is there in full or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from os import PathLike


def write(path: str | PathLike[str], data: bytes | str) -> None:
    """Write `data` to `path`, text as UTF-8: a temporary file in the same folder takes the name once it is complete.

    A file that was there keeps its permissions, and its content if anything fails. A link is followed. What is no regular
    file (``/dev/stdout``, a pipe) is written to directly.

    Raises:
        OSError: the kind that the system raised; the message names `path` and says what is wrong.
    """
    name = os.fspath(path)
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    try:
        if os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name):
            with open(name, "wb") as stream:
                stream.write(content)
        else:
            _replace(os.path.realpath(name), content)
    except OSError as error:
        raise OSError(error.errno, f"cannot write the file: {_reason(name, error)}", name) from error


def _replace(target: str, content: bytes) -> None:
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
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


def _reason(name: str, error: OSError) -> str:
    folder = os.path.dirname(os.path.realpath(name))
    if isinstance(error, FileNotFoundError) and not os.path.isdir(folder):
        return f"there is no folder {folder}"
    return error.strerror or str(error)

"""Reads and writes the standard streams, in whatever state a process gets them.

They may be closed, full or broken, or have an encoding that lacks letters of a name.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

INPUT, OUTPUT = "standard input", "standard output"

_BEGINNING = 4096


class Missing(io.TextIOBase):
    """Stands for a standard stream that is closed: reading or writing raises an OSError."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _fail(self, *_: Any) -> NoReturn:
        raise OSError(errno.EBADF, "it is closed", self._name)

    read = readline = write = _fail

    @property
    def buffer(self) -> NoReturn:
        """The stream of bytes below the text, which is closed as well."""
        self._fail()


@contextmanager
def ready() -> Iterator[None]:
    """Make every standard stream usable inside, and leave no unwritten text in one afterwards.

    A closed stream raises an OSError when it is used. A closed standard error takes everything and
    drops it, for there is nowhere to complain. Letters that a stream's encoding lacks are written
    as escapes.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    _hold_descriptors()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdin = Missing(INPUT) if _closed(sys.stdin) else sys.stdin
        sys.stdout = Missing(OUTPUT) if _closed(sys.stdout) else sys.stdout
        sys.stderr = nowhere if _closed(sys.stderr) else sys.stderr
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                _settle(stream)
            sys.stdin, sys.stdout, sys.stderr = before


def put(data: str | bytes) -> None:
    """Write to standard output.

    Raises:
        OSError: it cannot be written; the error's `filename` is `OUTPUT`.
    """
    with _named(OUTPUT):
        below = getattr(sys.stdout, "buffer", None)
        if isinstance(below, io.RawIOBase):
            _put_all(below, data)
        elif isinstance(data, str):
            sys.stdout.write(data)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)


def flush() -> None:
    """Make sure that what was put has arrived.

    Raises:
        OSError: it has not arrived; the error's `filename` is `OUTPUT`.
    """
    with _named(OUTPUT):
        sys.stdout.flush()


def take() -> bytes:
    """Read all of standard input, if it begins as a JSON object does.

    Otherwise only its beginning is read, for input that is not a report may have no end.

    Raises:
        OSError: it cannot be read; the error's `filename` is `INPUT`.
    """
    with _named(INPUT):
        beginning = sys.stdin.buffer.read(_BEGINNING)
        return (
            beginning + sys.stdin.buffer.read()
            if beginning.lstrip().startswith(b"{")
            else beginning
        )


def complain(sentence: str) -> None:
    """Say something on standard error, on one line.

    If standard error cannot be written, the exit status has to say enough.
    """
    from dispatchcount.render.plain import clean

    with suppress(OSError, ValueError):
        print(f"dispatchcount: {clean(' '.join(sentence.split()))}", file=sys.stderr, flush=True)


@contextmanager
def output_to_errors() -> Iterator[None]:
    """Let what is written to descriptor 1 inside go to standard error.

    A library that is not Python's prints there, past `sys.stdout`, and would write into a result.
    Nothing happens where one of the two descriptors is not open.
    """
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    _flush_c()
    try:
        kept = os.dup(1)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            os.dup2(2, 1)
        yield
    finally:
        _flush_c()
        os.dup2(kept, 1)
        os.close(kept)


def _flush_c() -> None:
    """Write out what the C library holds back for its own streams, if it can be asked to."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), name) from error
    except ValueError as error:  # Python raises this for a stream that was closed meanwhile.
        raise OSError(errno.EBADF, str(error), name) from error


def _put_all(stream: io.RawIOBase, data: str | bytes) -> None:
    """Write to a stream without a buffer, as ``PYTHONUNBUFFERED`` makes it.

    Such a stream may take a part of the data and say nothing of the rest.
    """
    text = sys.stdout
    rest = (
        data
        if isinstance(data, bytes)
        else data.replace("\n", os.linesep).encode(text.encoding, text.errors or "strict")
    )
    while rest:
        rest = rest[stream.write(rest) or 0 :]


def _closed(stream: Any) -> bool:
    return stream is None or getattr(stream, "closed", False)


def _hold_descriptors() -> None:
    """Fill the descriptors of closed standard streams, so that no file that is opened gets them.

    Otherwise a library that prints to descriptor 1 could write into a report. What fills them can
    be neither read nor written in the stream's direction.
    """
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        if not _is_open(descriptor):
            os.open(os.devnull, mode)  # It gets the lowest free descriptor, which is this one.


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _settle(stream: Any) -> None:
    """Flush a stream, or drop what is left in it if that fails.

    Otherwise Python would complain of it once more when it exits.
    """
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()

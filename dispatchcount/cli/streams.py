"""Standard input, output and error as a process may get them: closed, full, broken, or without the letters of a name."""

from __future__ import annotations

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
    """Stands for a standard stream that is closed: to read or write it is an OSError that names it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _fail(self, *_: Any) -> NoReturn:
        raise OSError(errno.EBADF, "it is closed", self._name)

    read = readline = write = _fail

    @property
    def buffer(self) -> NoReturn:
        """The bytes below the text, which are as closed."""
        self._fail()


@contextmanager
def ready() -> Iterator[None]:
    """Gives every standard stream a meaning inside, and takes care that nothing is left in one that cannot be written.

    A stream that is closed raises an OSError when it is used, except standard error: what cannot be complained of is left
    unsaid. Names may hold letters that a stream's encoding lacks; they are written as their escapes.
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
    """See that what was put has arrived.

    Raises:
        OSError: it has not; the error's `filename` is `OUTPUT`.
    """
    with _named(OUTPUT):
        sys.stdout.flush()


def take() -> bytes:
    """All of standard input, or its beginning if that cannot be the one of a JSON object: the rest may have no end.

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
    """Say something on standard error, on one line. Where that cannot be written, the exit status has to say enough."""
    from dispatchcount.render.plain import clean

    with suppress(OSError, ValueError):
        print(f"dispatchcount: {clean(' '.join(sentence.split()))}", file=sys.stderr, flush=True)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), name) from error
    except ValueError as error:  # Python's word for a stream that was closed meanwhile
        raise OSError(errno.EBADF, str(error), name) from error


def _put_all(stream: io.RawIOBase, data: str | bytes) -> None:
    """Write to a stream without a buffer, as ``PYTHONUNBUFFERED`` makes it: it may take a part and say nothing of the rest."""
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
    """Fill the places of closed standard streams, so that the next file that is opened does not become one of them.

    A library that prints to descriptor 1 would else write into a report. The places refuse what is asked of them.
    """
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        if not _is_open(descriptor):
            os.open(os.devnull, mode)  # takes the lowest free place, which is this one


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _settle(stream: Any) -> None:
    """Flush a stream. If that fails, lose what is left in it, or Python would complain of it once more on its way out."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()

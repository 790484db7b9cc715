"""The one guard around code that is not ours.

It is used for a target's import, its builder and its forward, for libraries and for devices.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from dispatchcount.errors import UsageError, described


class ForeignError(UsageError):
    """Foreign code raised something, which is this error's cause."""


@contextmanager
def foreign(did: str, hint: str = "") -> Iterator[None]:
    """Turn whatever foreign code raises inside into a `ForeignError`, except a Ctrl-C.

    That includes `SystemExit`, for a target must not end the command, least of all with status 0.
    What foreign code prints goes to standard error, because standard output is for the result. It
    can close neither of the two.

    Args:
        did: the beginning of the error's sentence, which says what the code did:
            ``"net.py:build() raised"``.
        hint: the end of the sentence, after what was raised.

    Raises:
        ForeignError: the code raised something, or tried to exit.
    """
    streams, leave = (sys.stdin, sys.stdout, sys.stderr), os._exit
    sys.stdout, sys.stderr = _Lent(sys.stderr), _Lent(sys.stderr)
    os._exit = _staying(leave)
    try:
        yield
    except (ForeignError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise ForeignError(f"{did} {described(error)}{hint}") from error
    finally:
        os._exit = leave
        sys.stdin, sys.stdout, sys.stderr = streams


class _Lent(io.TextIOBase):
    """A stream that its borrower can write to, but neither close nor take apart."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def close(self) -> None:
        """Leave the stream open."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("_stream", "close", "detach"):
            return super().__getattribute__(name)
        return getattr(self._stream, name)


def _staying(leave: Any) -> Any:
    """An `os._exit` that raises in this process, and ends a child that was forked from it."""
    here = os.getpid()

    def leave_at_once(status: int) -> NoReturn:
        if os.getpid() != here:
            leave(status)
        raise SystemExit(status)

    return leave_at_once

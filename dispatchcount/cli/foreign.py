"""The one guard around code that is not ours.

It is used for a target's import, its builder and its forward, for libraries and for devices.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatchcount.cli.streams import output_to_errors
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
    streams = sys.stdin, sys.stdout, sys.stderr
    originals = sys.__stdout__, sys.__stderr__
    leave, guard = os._exit, _Guard()
    lent: Any = _Lent(sys.stderr)
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = lent  # type: ignore[misc]
    os._exit = guard.staying(leave)
    try:
        with output_to_errors():
            yield
    except (ForeignError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise ForeignError(f"{did} {described(error)}{hint}") from error
    finally:
        guard.on = False
        os._exit = leave
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.__stdout__, sys.__stderr__ = originals  # type: ignore[misc]


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


class _Guard:
    """Keeps foreign code from ending the process.

    Attributes:
        on: True until the guarded code is through.
    """

    def __init__(self) -> None:
        self.on = True

    def staying(self, leave: Any) -> Any:
        """An `os._exit` that raises in this process, and ends a child that was forked from it.

        Code that kept it for the end of the process (``atexit.register(os._exit, 0)``) finds that
        it does nothing by then: the exit status is the command's.
        """
        here = os.getpid()

        def leave_at_once(status: int) -> None:
            if os.getpid() != here:
                leave(status)
            if self.on:
                raise SystemExit(status)

        return leave_at_once

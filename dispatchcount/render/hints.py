"""How a note names what opens more: as an argument in Python, as an option in the shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_shell: ContextVar[bool] = ContextVar("shell", default=False)


@contextmanager
def in_shell() -> Iterator[None]:
    """Within it notes name options of the command line. Renderings are made, not shown, there."""
    token = _shell.set(True)
    try:
        yield
    finally:
        _shell.reset(token)


def hint(python: str, shell: str) -> str:
    """The one of two ways to say the same that the reader can type.

        hint("depth=None", "--depth all")

    Args:
        python: an argument or a name of Python.
        shell: an option of the command line.
    """
    return shell if _shell.get() else python

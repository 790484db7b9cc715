"""What dispatchcount raises of its own, and what others' exceptions say."""

from __future__ import annotations

_LONGEST = 500


class DispatchcountError(Exception):
    """Base of the errors below; the command line prints its message and exits with `exit_code`."""

    exit_code = 2


class ReportError(DispatchcountError, ValueError):
    """A file or bytes that should hold a report do not, or hold one that cannot be read."""


class UsageError(DispatchcountError, ValueError):
    """A wrong target, shape, option or file on the command line."""


class BudgetError(DispatchcountError, AssertionError):
    """A report is over its budget."""

    exit_code = 1


class UncountedError(DispatchcountError, RuntimeError):
    """Under ``strict=True``, an operator ran that has no rule or whose rule failed."""

    exit_code = 1


def text_of(error: BaseException) -> str:
    """What an exception says, on one line, whatever it does when it is asked.

    A class of the user's may raise in its own ``__str__``. That must not hide that it was raised itself.
    """
    try:
        if isinstance(error, SystemExit):
            return f"it asks to exit with status {error.code!r}"
        text = " ".join(str(error).split())
    except Exception as unable:
        return f"its text cannot be had, that raised {type(unable).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def described(error: BaseException) -> str:
    """An exception's kind and text: ``ValueError: no such size``."""
    return f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
